//! Verification: each way of breaking a recording has its finding, and no changed byte verifies.

use std::sync::{Arc, OnceLock};

use proptest::prelude::*;

use super::recorded;
use crate::audit::finding::{Finding, Verdict};
use crate::audit::{Digest, RecordingHead, SigningKey};
use crate::record::split::{Part, Splitter};
use crate::record::verify::{RecordingReport, Verification};

/// A sealed recording of five chunks, made once.
fn sample() -> &'static (Vec<u8>, Arc<SigningKey>) {
    static SAMPLE: OnceLock<(Vec<u8>, Arc<SigningKey>)> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(recorded(5))
    })
}

fn report(bytes: &[u8]) -> RecordingReport {
    let keys = sample().1.public();
    let mut verification = Verification::new(&keys, None);
    verification.push(bytes);
    verification.finish(false, None)
}

fn verdicts(findings: &[Finding]) -> Vec<Verdict> {
    let mut all: Vec<Verdict> = findings.iter().map(|finding| finding.verdict).collect();
    all.sort();
    all.dedup();
    all
}

/// The objects of the sample: five chunks and the seal.
fn objects() -> Vec<Vec<u8>> {
    let mut splitter = Splitter::default();
    let bytes = &sample().0;
    splitter.push(bytes);
    let mut parts = Vec::new();
    while let Some(part) = splitter.part().unwrap() {
        parts.push(match part {
            Part::Seal(line) => [line.as_slice(), b"\n"].concat(),
            Part::Chunk(chunk) => {
                [serde_json::to_vec(&chunk.header).unwrap(), b"\n".to_vec(), chunk.body].concat()
            }
        });
    }
    assert_eq!(parts.concat(), *bytes);
    assert_eq!(parts.len(), 6);
    parts
}

fn of(parts: &[Vec<u8>]) -> Vec<Verdict> {
    verdicts(&report(&parts.concat()).findings)
}

#[test]
fn each_way_of_breaking_a_recording_has_its_finding() {
    let parts = objects();
    assert_eq!(of(&parts), []);
    assert_eq!(of(&[]), [Verdict::Missing]);
    assert_eq!(of(&parts[..5]), [Verdict::Shortened], "without its seal");
    assert_eq!(of(&parts[5..]), [Verdict::Shortened], "only the seal");

    let mut fewer = parts.clone();
    fewer.remove(4);
    assert_eq!(of(&fewer), [Verdict::Shortened]);

    let mut gap = parts.clone();
    gap.remove(2);
    assert_eq!(of(&gap), [Verdict::Missing]);
    assert_eq!(of(&parts[1..]), [Verdict::Missing]);

    let mut swapped = parts.clone();
    swapped.swap(1, 2);
    assert_eq!(of(&swapped), [Verdict::Reordered]);

    let mut early = parts.clone();
    early.swap(4, 5);
    assert_eq!(of(&early), [Verdict::Reordered]);

    let mut twice = parts.clone();
    twice.insert(3, parts[2].clone());
    assert_eq!(of(&twice), [Verdict::Reordered]);

    let mut more = parts.clone();
    more.push(b"more".to_vec());
    assert_eq!(of(&more), [Verdict::Shortened], "what follows is no whole part");
    more.push(b"\n".to_vec());
    assert_eq!(of(&more), [Verdict::Altered]);

    let whole = parts.concat();
    assert_eq!(verdicts(&report(&whole[..whole.len() - 1]).findings), [Verdict::Shortened]);
}

#[test]
fn the_recording_of_another_session_is_not_this_one() {
    let keys = sample().1.public();
    let mut verification = Verification::new(&keys, Some("ses_other"));
    verification.push(&sample().0);
    assert_eq!(verdicts(&verification.finish(false, None).findings), [Verdict::Altered]);
}

#[test]
fn a_checkpoint_finds_what_a_missing_seal_hides() {
    let parts = objects();
    let keys = sample().1.public();
    let whole = report(&sample().0);
    let known = |chunks, head, sealed| RecordingHead {
        session: whole.session.clone().unwrap(),
        chunks,
        head,
        sealed,
    };
    let live = |parts: &[Vec<u8>], known: &RecordingHead| {
        let mut verification = Verification::new(&keys, None);
        verification.push(&parts.concat());
        verdicts(&verification.finish(true, Some(known)).findings)
    };
    let five = known(5, whole.head, false);
    assert_eq!(live(&parts[..5], &five), [Verdict::CompletenessNotProven]);
    assert_eq!(live(&parts[..4], &five), [Verdict::Shortened, Verdict::CompletenessNotProven]);
    assert_eq!(
        live(&parts[..5], &known(5, whole.head, true)),
        [Verdict::Shortened, Verdict::CompletenessNotProven]
    );
    assert_eq!(live(&parts, &known(3, Digest::of(b"other"), false)), [Verdict::Altered]);
    assert_eq!(live(&parts, &known(5, whole.head, true)), []);
}

#[test]
fn every_byte_counts() {
    let whole = &sample().0;
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x20;
        assert!(!report(&changed).is_sound(), "byte {at}");
    }
    for end in 0..whole.len() {
        assert!(!report(&whole[..end]).is_sound(), "cut at {end}");
    }
}

proptest! {
    #[test]
    fn a_changed_byte_anywhere_never_verifies(at in any::<prop::sample::Index>(), flip in 1u8..=255) {
        let mut changed = sample().0.clone();
        let at = at.index(changed.len());
        changed[at] ^= flip;
        prop_assert!(!report(&changed).is_sound());
    }

    #[test]
    fn other_objects_in_other_order_never_verify(picks in prop::collection::vec(0usize..6, 0..9)) {
        let parts = objects();
        let picked: Vec<Vec<u8>> = picks.iter().map(|pick| parts[*pick].clone()).collect();
        prop_assert_eq!(of(&picked).is_empty(), picked == parts);
    }

    /// However the bytes come, the findings are the same.
    #[test]
    fn pieces_of_any_size_make_the_same_report(size in 1usize..3000, at in any::<prop::sample::Index>(), flip in 0u8..3) {
        let mut bytes = sample().0.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let keys = sample().1.public();
        let mut verification = Verification::new(&keys, None);
        bytes.chunks(size).for_each(|piece| verification.push(piece));
        prop_assert_eq!(verification.finish(false, None).findings, report(&bytes).findings);
    }

    #[test]
    fn garbage_is_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(!report(&bytes).is_sound());
    }
}
