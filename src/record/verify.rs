//! Verifies a recording: is each byte the one that was written, and is all of it there?
//!
//! Owns the rules of docs/formats.md, "Verifying a recording". It needs no store: bytes go in, findings come out.

use serde::Serialize;

use super::chunk::{Chain, Seal};
use super::split::{Broken, Part, Splitter};
use crate::audit::finding::{Finding, Verdict, sound};
use crate::audit::link::{self, Link};
use crate::audit::{Digest, Domain, PublicKeys, RecordingHead};

/// What verification of a recording found.
#[derive(Debug, Clone, Serialize)]
pub struct RecordingReport {
    /// The session that was expected, or else that the first chunk names.
    pub session: Option<String>,
    /// Chunks read.
    pub chunks: u64,
    /// Events in them.
    pub events: u64,
    /// The digest of the last chunk; zeros when there is none.
    pub head: Digest,
    /// The end reason, as the seal has it; none when there is no seal of ours.
    pub reason: Option<String>,
    /// Whether there is a seal of ours.
    pub sealed: bool,
    /// What is wrong or unproven; empty means `ok`.
    pub findings: Vec<Finding>,
}

impl RecordingReport {
    /// Nothing altered, reordered, shortened or missing (completeness may be unproven).
    #[must_use]
    pub fn is_sound(&self) -> bool {
        sound(&self.findings)
    }
}

/// Verifies one recording, in one pass over its bytes.
#[derive(Debug)]
pub struct Verification<'a> {
    keys: &'a PublicKeys,
    splitter: Splitter,
    links: Vec<Link>,
    session: Option<String>,
    events: u64,
    seal: Option<Seal>,
    /// A line that stands where a seal stands was found.
    ended: bool,
    findings: Vec<Finding>,
    broken: bool,
}

impl<'a> Verification<'a> {
    /// Trusts these keys. `session` is whose recording it should be, where that is known.
    #[must_use]
    pub fn new(keys: &'a PublicKeys, session: Option<&str>) -> Self {
        Self {
            keys,
            splitter: Splitter::default(),
            links: Vec::new(),
            session: session.map(str::to_owned),
            events: 0,
            seal: None,
            ended: false,
            findings: Vec::new(),
            broken: false,
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.splitter.push(bytes);
        loop {
            match self.splitter.part() {
                Ok(None) => return,
                Ok(Some(part)) => self.part(part),
                Err(broken) => return self.broken(broken),
            }
        }
    }

    fn find(&mut self, verdict: Verdict, detail: impl Into<String>) {
        self.findings.push(Finding::new(verdict, detail));
    }

    fn broken(&mut self, broken: Broken) {
        self.broken = true;
        let chunks = self.links.len();
        match broken {
            Broken::Altered => {
                self.find(Verdict::Altered, format!("what follows the first {chunks} chunks cannot be read"));
            }
            Broken::Shortened => {
                self.find(Verdict::Shortened, format!("it breaks off after the first {chunks} chunks"));
            }
        }
    }

    fn part(&mut self, part: Part) {
        match part {
            Part::Seal(line) => {
                if self.ended {
                    self.find(Verdict::Reordered, "there is a second seal");
                    return;
                }
                self.ended = true;
                match self.keys.open::<Seal>(Domain::Seal, &line) {
                    Ok(seal) => self.seal = Some(seal),
                    Err(why) => self.find(Verdict::Altered, format!("the seal: {why}")),
                }
            }
            Part::Chunk(chunk) => {
                let n = chunk.header.n;
                if self.ended {
                    self.find(Verdict::Reordered, format!("chunk {n} stands after the seal"));
                }
                if !chunk.is_whole() {
                    self.find(Verdict::Altered, format!("chunk {n} does not hold what it says"));
                }
                let session = self.session.get_or_insert_with(|| chunk.header.session.clone());
                if *session != chunk.header.session {
                    self.find(Verdict::Altered, format!("chunk {n} is of another session"));
                }
                self.events += chunk.header.events;
                self.links.push(Link { claim: Some((n, chunk.header.prev)), hash: chunk.hash });
            }
        }
    }

    /// Judges what was read. `live` says that the session still runs: then it has no seal yet. `checkpoint` is what
    /// the last checkpoint that names this recording says of it.
    #[must_use]
    pub fn finish(mut self, live: bool, checkpoint: Option<&RecordingHead>) -> RecordingReport {
        if !self.broken
            && let Err(broken) = self.splitter.finish()
        {
            self.broken(broken);
        }
        let order = link::check("chunk", 0, &self.links, &mut self.findings);
        let count = order.greatest().map_or(0, |greatest| greatest.saturating_add(1));
        let chain = |chunks: u64| match chunks {
            0 => Some(Chain::EMPTY.head),
            chunks => order.hash(chunks - 1),
        };
        if let Some(seal) = self.seal.clone() {
            if self.session.as_ref().is_some_and(|session| *session != seal.session) {
                self.find(Verdict::Altered, "the seal is of another session");
            }
            if count < seal.chunks {
                let detail = format!("there are {count} chunks, and the seal counts {}", seal.chunks);
                self.find(Verdict::Shortened, detail);
            } else if count > seal.chunks || chain(seal.chunks).is_some_and(|head| head != seal.head) {
                self.find(Verdict::Altered, "the last chunk is not the one that was sealed");
            } else if self.findings.is_empty() && self.events != seal.events {
                self.find(Verdict::Altered, "the chunks do not hold as many events as were sealed");
            }
        } else if !self.broken && !self.ended {
            if self.links.is_empty() {
                self.find(Verdict::Missing, "there is neither a chunk nor a seal");
            } else if live {
                let detail = format!("the session still runs; {count} chunks so far");
                self.find(Verdict::CompletenessNotProven, detail);
            } else {
                self.find(Verdict::Shortened, format!("it ends after {count} chunks, without a seal"));
            }
        }
        if let Some(known) = checkpoint.filter(|_| !self.broken) {
            if count < known.chunks || (known.sealed && !self.ended) {
                let detail = format!("a checkpoint knew {} chunks of it", known.chunks);
                if !self.findings.iter().any(|finding| finding.verdict == Verdict::Shortened) {
                    self.find(Verdict::Shortened, detail);
                }
            } else if chain(known.chunks).is_some_and(|head| head != known.head) {
                self.find(Verdict::Altered, "it is not the recording that a checkpoint knew");
            }
        }
        RecordingReport {
            session: self.session.or_else(|| self.seal.as_ref().map(|seal| seal.session.clone())),
            chunks: self.links.len() as u64,
            events: self.events,
            head: order.greatest().and_then(|last| order.hash(last)).unwrap_or(Digest::ZERO),
            sealed: self.seal.is_some(),
            reason: self.seal.map(|seal| seal.reason),
            findings: self.findings,
        }
    }
}
