//! What went wrong between us and the gate, as one sentence with a hint.
//!
//! Owns the reading of problem details (RFC 9457) and of failures to connect. Texts from the gate are shown without
//! their control characters; the token is in no error.

use std::error::Error;

use reqwest::StatusCode;
use serde::Deserialize;

use super::url::GateUrl;
use crate::cli::CliError;
use crate::cli::output::clean;

#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    hint: Option<String>,
}

/// The gate answered, and it was a no.
pub fn refused(url: &GateUrl, status: StatusCode, body: &[u8]) -> CliError {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let said = problem.detail.filter(|detail| !detail.is_empty()).unwrap_or(problem.title);
    let said = if said.is_empty() { format!("the gate at {url} answered {status}") } else { clean(&said) };
    let hint = problem.hint.map(|hint| clean(&hint));
    if status == StatusCode::UNAUTHORIZED {
        return CliError::not_signed_in(said)
            .hint(hint.unwrap_or_else(|| format!("type `curfew login {url}` to sign in again")));
    }
    let error = CliError::failed(said);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// No answer came, or it broke off.
pub fn unreached(url: &GateUrl, error: &reqwest::Error) -> CliError {
    if let Some(tls) = tls_error(error) {
        return CliError::failed(format!("{url} could not prove that it is the gate: {tls}")).hint(format!(
            "if its certificate was replaced on purpose, `curfew login {url}` compares its authority anew"
        ));
    }
    let why = if error.is_timeout() {
        "it does not answer in time".to_owned()
    } else {
        // The outermost text only says "error sending request"; the cause is at the bottom.
        let mut cause: &dyn Error = error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        cause.to_string()
    };
    CliError::unreachable(format!("the gate at {url} can't be reached: {why}"))
        .hint("check the address, the network and a VPN; then try again")
}

/// Whether the gate's certificate was not believed, as opposed to any other failure.
pub fn is_distrust(error: &reqwest::Error) -> bool {
    matches!(tls_error(error), Some(rustls::Error::InvalidCertificate(_)))
}

fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(next) = cause {
        if let Some(tls) = next.downcast_ref() {
            return Some(tls);
        }
        // The source of an I/O error is the source of what it wraps: that itself would be passed over.
        cause = match next.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => next.source(),
        };
    }
    None
}
