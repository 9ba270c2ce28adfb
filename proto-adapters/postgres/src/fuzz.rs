//! What strangers may send, taken as far as it goes without sockets: the entries of fuzz/fuzz_targets, and of the test
//! that replays their seeds. Each panics where something is wrong, and takes any bytes.

use crate::client;
use crate::codec::frame::HEAD;
use crate::codec::startup::{self, First};
use crate::codec::{report, row, value};
use crate::relay::fuzz::talk;

/// The first packets of a client, and what its startup message asks for. A packet is the same however it comes.
pub fn startup(input: &[u8]) {
    let mut rest = input;
    while let Ok(Some((first, length))) = startup::parse(rest) {
        for short in [0, 4, 7, length / 2, length.saturating_sub(1)] {
            let short = rest.get(..short.min(length - 1)).unwrap_or_default();
            assert!(!matches!(startup::parse(short), Ok(Some(_))), "a packet that is not whole was read");
        }
        if let First::Startup(startup) = first {
            let _ = client::read_parameters(startup, None);
        }
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// A client's messages in a session; see [`backend`].
pub fn frontend(input: &[u8]) {
    let mut script = vec![0];
    for piece in input.chunks(usize::from(u16::MAX)) {
        script.push(0);
        script.extend_from_slice(&u16::try_from(piece.len()).unwrap_or(u16::MAX).to_be_bytes());
        script.extend_from_slice(piece);
    }
    backend(&script);
}

/// A talk between a client and a target: a byte that says what is recorded, and then pieces: a byte (whose lowest bit says
/// whose piece it is: 1 is the target's), its length in two bytes, and as many bytes. What passes, and what is recorded, is
/// the same however the pieces are cut up.
pub fn backend(input: &[u8]) {
    let Some((policy, script)) = input.split_first() else { return };
    let policy = policy & 3;
    if let (Some(whole), Some(cut)) = (talk(script, policy, usize::MAX), talk(script, policy, 1)) {
        assert_eq!(whole, cut);
    }
    // What comes back is recorded as well: as it came, so it is not compared.
    let _ = talk(script, policy | 4, 1000);
    for at in 0..script.len().min(64) {
        let body = script.get(at + HEAD..).unwrap_or_default();
        let _ = report::read(body);
        let _ = row::columns(body).count();
        let _ = row::fields(body).map(Iterator::count);
    }
    let mut words = String::new();
    if let Some((oid, bytes)) = script.split_first_chunk::<2>() {
        let _ = value::write(u16::from_be_bytes(*oid).into(), bytes, &mut words);
        assert!(words.len() <= 16 * bytes.len() + 1000, "{} bytes become {}", bytes.len(), words.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Entry = fn(&[u8]);

    /// What the fuzzer found worth keeping, and what was written by hand.
    #[test]
    fn the_seeds_of_the_fuzzer_pass() {
        let entries: [(&str, Entry); 3] =
            [("startup", startup), ("frontend", frontend), ("backend", backend)];
        for (name, entry) in entries {
            let folder = format!("{}/../../fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"));
            let mut count = 0;
            for seed in std::fs::read_dir(folder).unwrap() {
                entry(&std::fs::read(seed.unwrap().path()).unwrap());
                count += 1;
            }
            assert!(count > 2, "{name} has {count} seeds");
        }
    }
}
