//! What verification finds: five kinds of finding, worded the same in every verifier.
//!
//! Owns the words. docs/formats.md says when each is due; the verifier in tests/verifier must agree.

use std::fmt;

use serde::Serialize;

/// The kinds of finding. None at all means `ok`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Bytes are not those that were written.
    Altered,
    /// A part stands before one that it followed, or twice.
    Reordered,
    /// Parts at the end are gone.
    Shortened,
    /// Parts in the middle, or all, are gone.
    Missing,
    /// Nothing is wrong, and nothing says how much there should be.
    CompletenessNotProven,
}

impl Verdict {
    /// The words for people and for other programs, the same in every verifier.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Altered => "altered",
            Self::Reordered => "reordered",
            Self::Shortened => "shortened",
            Self::Missing => "missing",
            Self::CompletenessNotProven => "completeness not proven",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One finding, as one line for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind.
    pub verdict: Verdict,
    /// What and where, in a clause.
    pub detail: String,
}

impl Finding {
    /// A finding of this kind.
    pub fn new(verdict: Verdict, detail: impl Into<String>) -> Self {
        Self { verdict, detail: detail.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.verdict, self.detail)
    }
}

/// Whether nothing was altered, reordered, shortened or lost. Completeness may still be unproven.
#[must_use]
pub fn sound(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.verdict == Verdict::CompletenessNotProven)
}
