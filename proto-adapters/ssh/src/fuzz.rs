//! Both sides of an SFTP channel say what they like. The watch must neither panic nor grow, and must not care how the
//! bytes are cut: the same conversation in single bytes comes to the same. The entry of a fuzz target (fuzz/fuzz_targets),
//! and of the test that replays its seeds.

use crate::sftp::{Access, Outlet, Watch};
use bytes::Bytes;
use curfew_adapter::{Event, RecordError};

#[derive(Debug, Default, PartialEq)]
struct Tap {
    target: Vec<u8>,
    client: Vec<u8>,
    events: String,
}

impl Outlet for Tap {
    fn to_target(&mut self, bytes: Bytes) {
        self.target.extend_from_slice(&bytes);
    }

    fn to_client(&mut self, bytes: Bytes) {
        self.client.extend_from_slice(&bytes);
    }

    fn record(&mut self, event: &Event<'_>) -> Result<(), RecordError> {
        self.events.push_str(&format!("{event:?}\n"));
        Ok(())
    }
}

/// What a conversation comes to; none where it is broken off.
fn watch(mut script: &[u8], access: Access, most: usize) -> Option<Tap> {
    let (mut watch, mut tap) = (Watch::new(1, access), Tap::default());
    while let [side, high, low, rest @ ..] = script {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (piece, rest) = rest.split_at(length);
        script = rest;
        for piece in piece.chunks(most) {
            let mut piece = Bytes::copy_from_slice(piece);
            let taken = if side & 1 == 0 {
                watch.client(&mut piece, &mut tap)
            } else {
                watch.target(std::mem::take(&mut piece), &mut tap)
            };
            if taken.is_err() || !piece.is_empty() {
                watch.finish(&mut tap).ok()?;
                return None;
            }
        }
    }
    watch.finish(&mut tap).ok()?;
    Some(tap)
}

/// The input is a byte that says what is allowed, and then pieces: a byte (whose lowest bit says whose piece it is), its
/// length in two bytes, and as many bytes.
pub fn sftp(input: &[u8]) {
    let Some((access, script)) = input.split_first() else {
        return;
    };
    let access = if access & 1 == 0 { Access::ReadWrite } else { Access::ReadOnly };
    assert_eq!(watch(script, access, usize::MAX), watch(script, access, 1));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the fuzzer found worth keeping, and what was written by hand.
    #[test]
    fn the_seeds_of_the_fuzzer_pass() {
        let folder = format!("{}/../../fuzz/seeds/sftp", env!("CARGO_MANIFEST_DIR"));
        let seeds: Vec<_> = std::fs::read_dir(folder).unwrap().map(|seed| seed.unwrap().path()).collect();
        assert!(seeds.len() > 2);
        seeds.iter().for_each(|seed| sftp(&std::fs::read(seed).unwrap()));
    }
}
