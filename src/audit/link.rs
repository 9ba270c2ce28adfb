//! The order of a chain: which links are altered, out of place, or gone.
//!
//! Owns the one rule that audit lines and recording chunks share (docs/formats.md, "Order"). It sees numbers and
//! digests only, and never reads what a link holds.

use std::collections::BTreeMap;

use super::digest::Digest;
use super::finding::{Finding, Verdict};

/// One link as it was found, in the order of the file.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// Its own number and what it says came before it; none when it could not be read at all.
    pub claim: Option<(u64, Digest)>,
    /// The digest of its exact bytes.
    pub hash: Digest,
}

/// The chain that the links make.
#[derive(Debug, Default)]
pub struct Order {
    /// The digest of each number's first link that could be read.
    hashes: BTreeMap<u64, Digest>,
    /// The greatest number seen or, for a link that could not be read, supposed.
    greatest: Option<u64>,
}

impl Order {
    /// The greatest number in the chain; none when there was no link.
    #[must_use]
    pub fn greatest(&self) -> Option<u64> {
        self.greatest
    }

    /// The digest of the link with this number.
    #[must_use]
    pub fn hash(&self, number: u64) -> Option<Digest> {
        self.hashes.get(&number).copied()
    }
}

/// Checks a chain whose first number is `first`; `what` names a link in findings ("line", "chunk").
pub fn check(what: &str, first: u64, links: &[Link], findings: &mut Vec<Finding>) -> Order {
    let mut order = Order::default();
    let mut claims: BTreeMap<u64, Digest> = BTreeMap::new();
    for link in links {
        if let Some((number, prev)) = link.claim {
            claims.entry(number).or_insert(prev);
            order.hashes.entry(number).or_insert(link.hash);
        }
    }

    let mut supposed: Vec<u64> = Vec::new();
    let mut before: Option<u64> = None;
    for link in links {
        before = match link.claim {
            Some((number, _)) => {
                if let Some(before) = before.filter(|before| number <= *before) {
                    let detail = format!("{what} {number} stands after {what} {before}");
                    findings.push(Finding::new(Verdict::Reordered, detail));
                }
                Some(number)
            }
            None => {
                let place = before.map_or(first, |before| before.saturating_add(1));
                findings.push(Finding::new(Verdict::Altered, format!("{what} {place} cannot be read")));
                if claims.contains_key(&place) {
                    before
                } else {
                    supposed.push(place);
                    Some(place)
                }
            }
        };
    }

    let mut numbers: Vec<u64> = claims.keys().copied().chain(supposed).collect();
    numbers.sort_unstable();
    order.greatest = numbers.last().copied();
    let mut due = first;
    for number in numbers {
        if number > due {
            let detail = match number - due {
                1 => format!("{what} {due} is not there"),
                gap => format!("{gap} {what}s are not there: {due} to {}", number - 1),
            };
            findings.push(Finding::new(Verdict::Missing, detail));
        }
        due = due.max(number.saturating_add(1));
    }

    for (number, prev) in &claims {
        if *number <= first {
            if *number < first || *prev != Digest::ZERO {
                let detail = format!("{what} {number} does not begin a chain");
                findings.push(Finding::new(Verdict::Altered, detail));
            }
        } else if order.hash(number - 1).is_some_and(|hash| hash != *prev) {
            let detail = format!("{what} {} is not the one that {what} {number} follows", number - 1);
            findings.push(Finding::new(Verdict::Altered, detail));
        }
    }
    order
}
