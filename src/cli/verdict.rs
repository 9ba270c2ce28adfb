//! What verification found, as lines for people and as an exit status.
//!
//! Owns the last word: `ok` is only said when nothing was found, and completeness that nobody vouches for is told apart.

use super::CliError;
use super::output::{Output, Tone, clean};
use crate::audit::{Finding, Verdict, finding};

/// Prints the findings on `what`. Unsound ones end the command with a failure.
///
/// # Errors
/// Something was altered, reordered, shortened or is missing.
pub fn tell(what: &str, findings: &[Finding], out: &mut Output) -> Result<(), CliError> {
    for finding in findings {
        let tone = if finding.verdict == Verdict::CompletenessNotProven { Tone::Waiting } else { Tone::Bad };
        let word = out.paint(tone, finding.verdict.as_str());
        out.line(format!("{word}  {}", clean(&finding.detail)))?;
    }
    if !finding::sound(findings) {
        return Err(unsound(what));
    }
    let word = out.paint(Tone::Good, "ok");
    out.line(match findings {
        [] => format!("{word}  {what}"),
        _ => format!("{word}  {what}: nothing is altered, but whether it is complete is not proven"),
    })
}

/// The failure, for who prints the findings in another form.
pub fn unsound(what: &str) -> CliError {
    CliError::failed(format!("{what}: this is not what Curfew wrote"))
        .hint("keep the file and the checkpoints as they are, and tell whoever runs the gate")
}
