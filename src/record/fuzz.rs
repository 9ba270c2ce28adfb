//! What strangers may send, as far as the core reads it: SQL that is masked, and files that are said to be recordings. The
//! entries of fuzz/fuzz_targets, and of the test that replays their seeds. Each panics where something is wrong, and takes
//! any bytes.

use super::cast::Cast;
use super::chunk::{Chain, Chunk, Events, Header, Packer, VERSION};
use super::lines::Lines;
use super::mask::Masker;
use super::mask::lex::Lexer;
use super::script::Script;
use super::search::Search;
use super::split::{Part, Splitter};
use super::told::Told;
use super::verify::Verification;
use crate::audit::{Digest, PublicKeys};

const SECRET: &str = "hunter2";

/// A public key whose private one nobody has: RFC 8032, 7.1, TEST 1.
const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";

/// SQL. Its tokens cover it; a password behind it does not survive, whatever stands before.
pub fn masking(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut at = 0;
    for token in Lexer::new(&text) {
        assert!(token.span.start == at && token.span.end > at, "a gap before {token:?}");
        assert!(text.get(token.span.clone()).is_some(), "{token:?} ends within a character");
        at = token.span.end;
    }
    assert_eq!(at, text.len(), "the end is missing");
    let (plain, strict) = (Masker::default(), Masker::new(&["(?i)iban", r"\b\d{16}\b"]).unwrap_or_default());
    for masker in [&plain, &strict] {
        let masked = masker.statement(&text);
        assert!(masked.sensitive || masked.text == text, "something is masked in what is no secret");
        let _ = masker.statement_after(&text, true);
        let (_, _, _) = (masker.value(&text), masker.message(&text), masker.command(&text));
    }
    if text.contains(SECRET) {
        return;
    }
    let text = format!("{text}\nALTER ROLE bob PASSWORD '{SECRET}'");
    let masked = plain.statement(&text);
    assert!(!masked.text.contains(SECRET), "{text}\nbecame {}", masked.text);
}

/// A file that is said to be a recording; a chunk whose body is the input; a chunk of the input's lines.
pub fn recording(input: &[u8]) {
    file(input, input.len().max(1));
    let header = Header {
        v: VERSION,
        session: "ses_1".to_owned(),
        n: 0,
        prev: Digest::ZERO,
        events: 1,
        from: 0,
        to: 0,
        zstd: input.len() as u64,
        sha256: Digest::of(input),
    };
    if let Ok(mut bytes) = serde_json::to_vec(&header) {
        bytes.push(b'\n');
        bytes.extend_from_slice(input);
        file(&bytes, 1000);
    }
    let mut lines = input.to_vec();
    lines.push(b'\n');
    let count = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
    let events = Events { lines, count, from: 0, to: 0 };
    if let Ok((bytes, _)) = Packer::new().and_then(|mut packer| packer.pack("ses_1", Chain::EMPTY, &events)) {
        file(&bytes, 100);
    }
}

/// It is the same in pieces of this size, and read as far as it makes sense.
fn file(bytes: &[u8], size: usize) {
    let Ok(keys) = PublicKeys::from_pem(KEY) else { return };
    let verified = |size: usize| {
        let mut verification = Verification::new(&keys, None);
        bytes.chunks(size).for_each(|piece| verification.push(piece));
        serde_json::to_string(&verification.finish(false, None)).unwrap_or_default()
    };
    assert_eq!(verified(bytes.len().max(1)), verified(size));
    let (mut splitter, mut search) = (Splitter::default(), Search::new("secret"));
    splitter.push(bytes);
    let _ = search.push(bytes);
    let (mut lines, mut script, mut cast) = (Lines::default(), Script::default(), Cast::new(None));
    while let Ok(Some(part)) = splitter.part() {
        if let Part::Chunk(chunk) = part {
            events(&chunk, |told| {
                let _ = lines.of(&told.what);
                let _ = cast.line(told);
                for line in script.of(told).lines() {
                    assert!(!line.contains('\r'), "{line:?}");
                }
            });
        }
    }
    let _ = script.end();
}

fn events(chunk: &Chunk, mut with: impl FnMut(&Told)) {
    if !chunk.is_whole() {
        return;
    }
    for line in chunk.lines().flatten() {
        if let Ok(event) = serde_json::from_slice(&line) {
            with(&Told::read(event));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    type Entry = fn(&[u8]);

    /// What the fuzzer found worth keeping, and what was written by hand.
    #[test]
    fn the_seeds_of_the_fuzzer_pass() {
        let folder = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let entries: [(&str, Entry); 3] = [
            ("fuzz/seeds/masking", masking),
            ("tests/fixtures/masking", masking),
            ("fuzz/seeds/recording", recording),
        ];
        for (name, entry) in entries {
            let mut count = 0;
            for seed in std::fs::read_dir(folder(name)).unwrap() {
                entry(&std::fs::read(seed.unwrap().path()).unwrap());
                count += 1;
            }
            assert!(count > 2, "{name} has {count} seeds");
        }
    }

    #[test]
    fn what_unpacks_to_any_number_of_bytes_is_not_unpacked_for_ever() {
        // A gigabyte of nothing, in some kilobytes.
        let bomb = zstd::bulk::compress(&vec![b' '; 1 << 28], 1).unwrap();
        assert!(bomb.len() < 64 * 1024, "{}", bomb.len());
        let header = Header {
            v: VERSION,
            session: String::new(),
            n: 0,
            prev: Digest::ZERO,
            events: 1,
            from: 0,
            to: 0,
            zstd: bomb.len() as u64,
            sha256: Digest::of(&bomb),
        };
        let chunk = Chunk { header, hash: Digest::ZERO, body: bomb };
        assert!(!chunk.is_whole());
        assert!(chunk.lines().next().unwrap().is_err());
    }
}
