//! The chain of audit lines: how one is written after another, and how all are verified.
//!
//! Owns the line's frame (`v`, `node`, `seq`, `prev`, `at`) and the rules of docs/formats.md, "The audit log". It
//! is pure: it reads no clock and stores nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use super::digest::Digest;
use super::event::AuditEvent;
use super::finding::{Finding, Verdict, sound};
use super::link::{self, Link, Order};
use super::sign::{Domain, PublicKeys};

/// The version of the line format.
const VERSION: u32 = 1;

/// Where a chain stands: how many lines it has, and the digest of the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of the last line, which is the count of all; 0 when there is none.
    pub seq: u64,
    /// The digest of the last line's bytes, without its newline; [`Digest::ZERO`] when there is none.
    pub hash: Digest,
}

impl Head {
    /// The head of a chain that has no line yet.
    pub const EMPTY: Self = Self { seq: 0, hash: Digest::ZERO };
}

#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    node: &'a str,
    seq: u64,
    prev: Digest,
    at: String,
    #[serde(flatten)]
    event: &'a AuditEvent,
}

/// An instant as every format of ours writes it: RFC 3339 in UTC, to the microsecond.
#[must_use]
pub fn instant(at: Timestamp) -> String {
    format!("{at:.6}")
}

/// The next line of a node's chain, without its newline, and the head that it makes.
///
/// Whoever stores the line stores the head in the same transaction; two lines after the same head are a fork,
/// and verification calls it `reordered`.
pub fn next_line(
    after: Head,
    at: Timestamp,
    node: &str,
    event: &AuditEvent,
) -> serde_json::Result<(String, Head)> {
    let seq = after.seq.saturating_add(1);
    let line =
        serde_json::to_string(&Line { v: VERSION, node, seq, prev: after.hash, at: instant(at), event })?;
    let head = Head { seq, hash: Digest::of(line.as_bytes()) };
    Ok((line, head))
}

/// What verification of an audit log found.
#[derive(Debug, Clone, Serialize)]
pub struct AuditReport {
    /// Lines read, of all nodes.
    pub lines: u64,
    /// The lines of each node that a checkpoint vouches for.
    pub proven: BTreeMap<String, u64>,
    /// What is wrong or unproven; empty means `ok`.
    pub findings: Vec<Finding>,
}

impl AuditReport {
    /// Nothing altered, reordered, shortened or missing (completeness may be unproven).
    #[must_use]
    pub fn is_sound(&self) -> bool {
        sound(&self.findings)
    }
}

#[derive(Deserialize)]
struct Frame<'a> {
    v: u32,
    #[serde(borrow)]
    node: Cow<'a, str>,
    seq: u64,
    prev: Digest,
}

/// Verifies the lines of one or several nodes, each without its newline, in the order of the file.
///
/// `checkpoints` are the lines of a checkpoint file, signed by one of `keys`. Without them nothing can say how
/// many lines there should be, and the report says so.
pub fn verify<L: AsRef<[u8]>, C: AsRef<[u8]>>(
    lines: impl IntoIterator<Item = L>,
    checkpoints: Option<impl IntoIterator<Item = C>>,
    keys: &PublicKeys,
) -> AuditReport {
    let mut report = AuditReport { lines: 0, proven: BTreeMap::new(), findings: Vec::new() };
    let mut nodes: BTreeMap<String, Vec<Link>> = BTreeMap::new();
    let mut current: Option<String> = None;
    // Unreadable lines before the first that can be read: they belong to its node.
    let mut early: Vec<Link> = Vec::new();
    for line in lines {
        let line = line.as_ref();
        report.lines += 1;
        let hash = Digest::of(line);
        match serde_json::from_slice::<Frame<'_>>(line).ok().filter(|frame| frame.v == VERSION) {
            Some(frame) => {
                let links = nodes.entry(frame.node.clone().into_owned()).or_default();
                links.append(&mut early);
                links.push(Link { claim: Some((frame.seq, frame.prev)), hash });
                current = Some(frame.node.into_owned());
            }
            None => match current.as_ref().and_then(|node| nodes.get_mut(node)) {
                Some(links) => links.push(Link { claim: None, hash }),
                None => early.push(Link { claim: None, hash }),
            },
        }
    }
    if !early.is_empty() {
        link::check("line", 1, &early, &mut report.findings);
    }
    let mut orders: BTreeMap<String, Order> = BTreeMap::new();
    for (node, links) in nodes {
        let order = link::check("line", 1, &links, &mut report.findings);
        orders.insert(node, order);
    }
    if let Some(checkpoints) = checkpoints {
        compare(&orders, checkpoints, keys, &mut report);
    }
    for (node, order) in &orders {
        if !report.proven.contains_key(node) {
            let count = order.greatest().unwrap_or(0);
            let detail = format!("node {node}: no checkpoint says that there are {count} lines and no more");
            report.findings.push(Finding::new(Verdict::CompletenessNotProven, detail));
        }
    }
    if report.lines == 0 && report.proven.is_empty() {
        let detail = "there is no line, and no checkpoint says that there should be one";
        report.findings.push(Finding::new(Verdict::CompletenessNotProven, detail));
    }
    report
}

/// Holds the checkpoints against the chains.
fn compare<C: AsRef<[u8]>>(
    orders: &BTreeMap<String, Order>,
    checkpoints: impl IntoIterator<Item = C>,
    keys: &PublicKeys,
    report: &mut AuditReport,
) {
    let mut unlike: BTreeMap<String, u64> = BTreeMap::new();
    for (at, line) in checkpoints.into_iter().enumerate() {
        let checkpoint: Checkpoint = match keys.open(Domain::Checkpoint, line.as_ref()) {
            Ok(checkpoint) => checkpoint,
            Err(why) => {
                let detail = format!("checkpoint {}: {why}", at + 1);
                report.findings.push(Finding::new(Verdict::Altered, detail));
                continue;
            }
        };
        let order = orders.get(&checkpoint.node);
        let hash = match checkpoint.count {
            0 => Some(Digest::ZERO),
            count => order.and_then(|order| order.hash(count)),
        };
        if hash.is_some_and(|hash| hash != checkpoint.head) {
            unlike.entry(checkpoint.node.clone()).or_insert(checkpoint.count);
        }
        let proven = report.proven.entry(checkpoint.node).or_default();
        *proven = checkpoint.count.max(*proven);
    }
    for (node, count) in unlike {
        let detail = format!("node {node}: line {count} is not the one that a checkpoint signed");
        report.findings.push(Finding::new(Verdict::Altered, detail));
    }
    for (node, count) in &report.proven {
        let greatest = orders.get(node).and_then(Order::greatest).unwrap_or(0);
        let finding = if *count == 0 || greatest >= *count {
            continue;
        } else if !orders.contains_key(node) {
            let detail = format!("node {node}: no line is there, and a checkpoint counts {count}");
            Finding::new(Verdict::Missing, detail)
        } else {
            let detail = format!("node {node}: it ends at line {greatest}, and a checkpoint counts {count}");
            Finding::new(Verdict::Shortened, detail)
        };
        report.findings.push(finding);
    }
}

#[cfg(test)]
mod tests;
