//! The chain's rules, each broken once, and a property: no changed byte verifies.

use proptest::prelude::*;

use super::*;
use crate::audit::checkpoint::RecordingHead;
use crate::audit::event::{Actor, What};
use crate::audit::sign::SigningKey;

type NoCheckpoints = Option<Vec<String>>;

fn at(second: i64) -> Timestamp {
    Timestamp::new(1_790_000_000 + second, 123_456_789).unwrap()
}

fn refused(why: &str) -> AuditEvent {
    let actor = Actor::Stranger { address: Some("192.0.2.7".parse().unwrap()) };
    actor.did(What::SigninRefused { method: "link".to_owned(), why: why.to_owned() })
}

fn chain(node: &str, count: u64) -> (Vec<String>, Head) {
    let mut lines = Vec::new();
    let mut head = Head::EMPTY;
    for n in 0..count {
        let why = format!("the link was \"used\" twice\n({n})");
        let (line, next) = next_line(head, at(n as i64), node, &refused(&why)).unwrap();
        assert!(!line.contains('\n'));
        lines.push(line);
        head = next;
    }
    (lines, head)
}

fn checkpoint(key: &SigningKey, node: &str, head: Head) -> String {
    let recording =
        RecordingHead { session: "s".to_owned(), chunks: 2, head: Digest::of(b"chunk"), sealed: false };
    Checkpoint::new(at(60), node, head, vec![recording]).sign(key).unwrap()
}

fn verdicts(findings: &[Finding]) -> Vec<Verdict> {
    let mut all: Vec<Verdict> = findings.iter().map(|finding| finding.verdict).collect();
    all.sort();
    all.dedup();
    all
}

fn key() -> SigningKey {
    SigningKey::generate().unwrap().0
}

fn verified(lines: &[String], checkpoints: &[String], key: &SigningKey) -> Vec<Verdict> {
    verdicts(&verify(lines, Some(checkpoints), &key.public()).findings)
}

#[test]
fn a_line_is_what_the_format_says() {
    let (lines, head) = chain("gate-1", 1);
    let expected = concat!(
        r#"{"v":1,"node":"gate-1","seq":1,"#,
        r#""prev":"0000000000000000000000000000000000000000000000000000000000000000","#,
        r#""at":"2026-09-21T14:13:20.123456Z","kind":"signin.refused","method":"link","#,
        r#""why":"the link was \"used\" twice\n(0)","actor":{"is":"stranger","address":"192.0.2.7"}}"#
    );
    assert_eq!(lines[0], expected);
    assert_eq!(head, Head { seq: 1, hash: Digest::of(expected.as_bytes()) });
    let event: AuditEvent = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(event, refused("the link was \"used\" twice\n(0)"));
}

#[test]
fn an_untouched_chain_is_ok_and_without_a_checkpoint_unproven() {
    let key = key();
    let (lines, head) = chain("a", 5);
    let report = verify(&lines, Some(&[checkpoint(&key, "a", head)]), &key.public());
    assert_eq!(report.findings, []);
    assert_eq!(report.proven.get("a"), Some(&5));

    let report = verify(&lines, NoCheckpoints::None, &key.public());
    assert_eq!(verdicts(&report.findings), [Verdict::CompletenessNotProven]);
    assert!(report.is_sound());

    let nothing: Vec<String> = Vec::new();
    let report = verify(&nothing, NoCheckpoints::None, &key.public());
    assert_eq!(verdicts(&report.findings), [Verdict::CompletenessNotProven]);
}

#[test]
fn lines_after_the_last_checkpoint_are_read_too() {
    let key = key();
    let (lines, _) = chain("a", 3);
    let (longer, _) = chain("a", 5);
    let middle = Head { seq: 3, hash: Digest::of(lines[2].as_bytes()) };
    let report = verify(&longer, Some(&[checkpoint(&key, "a", middle)]), &key.public());
    assert_eq!(report.findings, []);
    assert_eq!(report.proven.get("a"), Some(&3));
}

#[test]
fn each_way_of_breaking_a_chain_has_its_finding() {
    let key = key();
    let (lines, head) = chain("a", 6);
    let checkpoints = [checkpoint(&key, "a", Head::EMPTY), checkpoint(&key, "a", head)];

    let mut changed = lines.clone();
    changed[2] = changed[2].replace("used", "lost");
    assert_eq!(verified(&changed, &checkpoints, &key), [Verdict::Altered]);

    let mut last = lines.clone();
    last[5] = last[5].replace("used", "lost");
    assert_eq!(verified(&last, &checkpoints, &key), [Verdict::Altered]);

    let mut unreadable = lines.clone();
    unreadable[0] = "hello".to_owned();
    assert_eq!(verified(&unreadable, &checkpoints, &key), [Verdict::Altered]);

    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    assert_eq!(verified(&swapped, &checkpoints, &key), [Verdict::Reordered]);

    let mut twice = lines.clone();
    twice.insert(4, lines[3].clone());
    assert_eq!(verified(&twice, &checkpoints, &key), [Verdict::Reordered]);

    let mut gap = lines.clone();
    gap.drain(1..3);
    assert_eq!(verified(&gap, &checkpoints, &key), [Verdict::Missing]);
    assert_eq!(verified(&lines[1..], &checkpoints, &key), [Verdict::Missing]);
    assert_eq!(verified(&lines[..4], &checkpoints, &key), [Verdict::Shortened]);
    assert_eq!(verified(&[], &checkpoints, &key), [Verdict::Missing]);

    let (rewritten, _) = chain("b", 6);
    assert_eq!(verified(&rewritten, &checkpoints, &key), [Verdict::Missing, Verdict::CompletenessNotProven]);
}

/// Whoever owns the host can make a whole new chain; the checkpoint outlives it.
#[test]
fn a_chain_written_anew_does_not_match_its_checkpoint() {
    let key = key();
    let (_, head) = chain("a", 4);
    let mut lines = Vec::new();
    let mut forged = Head::EMPTY;
    for n in 0..4 {
        let (line, next) = next_line(forged, at(n), "a", &refused("forged")).unwrap();
        lines.push(line);
        forged = next;
    }
    assert_eq!(verified(&lines, &[checkpoint(&key, "a", head)], &key), [Verdict::Altered]);
}

#[test]
fn a_checkpoint_by_another_key_or_with_a_changed_byte_proves_nothing() {
    let key = key();
    let (lines, head) = chain("a", 2);
    let forged = [checkpoint(&self::key(), "a", head)];
    assert_eq!(verified(&lines, &forged, &key), [Verdict::Altered, Verdict::CompletenessNotProven]);
}

#[test]
fn nodes_have_chains_of_their_own() {
    let key = key();
    let (a, a_head) = chain("a", 3);
    let (b, b_head) = chain("b", 2);
    let lines = [a[0].clone(), b[0].clone(), a[1].clone(), b[1].clone(), a[2].clone()];
    let both = [checkpoint(&key, "a", a_head), checkpoint(&key, "b", b_head)];
    assert_eq!(verified(&lines, &both, &key), []);
    assert_eq!(verified(&lines, &both[..1], &key), [Verdict::CompletenessNotProven]);
    assert_eq!(verified(&a, &both, &key), [Verdict::Missing]);
}

proptest! {
    #[test]
    fn a_changed_byte_anywhere_never_verifies(at in 0usize..4096, flip in 1u8..=255) {
        let key = key();
        let (lines, head) = chain("a", 4);
        let mut bytes = lines.join("\n").into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        let checkpoints = [checkpoint(&key, "a", head)];
        let report = verify(bytes.split(|byte| *byte == b'\n'), Some(&checkpoints), &key.public());
        prop_assert!(!report.is_sound());
    }

    /// Taking lines away and shuffling the rest is always found, given the checkpoint.
    #[test]
    fn a_chain_with_other_lines_in_other_order_never_verifies(picks in proptest::collection::vec(0usize..6, 0..9)) {
        let key = key();
        let (lines, head) = chain("a", 6);
        let picked: Vec<String> = picks.iter().map(|pick| lines[*pick].clone()).collect();
        let report = verify(&picked, Some(&[checkpoint(&key, "a", head)]), &key.public());
        prop_assert_eq!(report.is_sound(), picked == lines);
    }
}
