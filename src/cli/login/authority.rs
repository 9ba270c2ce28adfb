//! First contact with a gate: whose authority it has, and whether a person vouches for it.
//!
//! Owns the one moment at which an unverified certificate is believed, and the refusal of one that changed. What is
//! saved is the certificate that was fingerprinted and nothing that came along with it.

use curfew_certs::{fingerprint, pem};

use crate::cli::CliError;
use crate::cli::client::{Body, Client, GateUrl, Saved, Trust, trust, wire};

/// An authority that may be saved.
#[derive(Debug)]
pub struct Confirmed {
    /// In PEM.
    pub pem: String,
    /// `SHA256:…`
    pub fingerprint: String,
    /// How the gate's HTTP certificate is to be judged from now on.
    pub trust: Trust,
}

/// Fetches the authority of the gate and compares it with what is known: the saved one, a fingerprint from the command
/// line, or what a person says to the question `ask`.
///
/// # Errors
/// It is another one than before, or nobody vouches for it.
pub async fn confirm(
    url: &GateUrl,
    saved: &Saved,
    given: Option<&str>,
    ask: impl FnOnce(&str) -> Result<bool, CliError>,
) -> Result<Confirmed, CliError> {
    let known = saved.authority();
    let (answer, trust, proven) = fetch(url, known.as_deref()).await?;
    let certificate = trust::certificate(&answer.read::<wire::Authority>()?.certificate)?;
    let found = fingerprint(&certificate);
    let vouched = match given.map(spelled) {
        Some(given) if given == found => true,
        Some(given) => return Err(another_than_given(url, &given, &found)),
        None => false,
    };
    match known {
        Some(known) => {
            let known = fingerprint(&trust::certificate(&known)?);
            if known != found && !vouched {
                return Err(changed(url, &known, &found));
            }
        }
        None if vouched || proven => {}
        None => {
            if !ask(&found)? {
                return Err(CliError::failed("the gate's authority was not confirmed; nothing was saved")
                    .hint("ask whoever runs the gate for the fingerprint, and compare"));
            }
        }
    }
    Ok(Confirmed { pem: pem("CERTIFICATE", &certificate), fingerprint: found, trust })
}

/// The answer, how the gate's certificate is to be judged, and whether it already was.
async fn fetch(url: &GateUrl, known: Option<&str>) -> Result<(Body, Trust, bool), CliError> {
    let ask = async |tls| Client::believing(url, tls)?.get_if_believed(&["ca"]).await;
    if !url.is_plain() {
        if let Some(known) = known
            && let Some(answer) = ask(trust::authority(known)?).await?
        {
            return Ok((answer, Trust::Authority, true));
        }
        // A machine may have no authorities at all; then only the gate's own counts.
        if let Ok(system) = trust::system()
            && let Some(answer) = ask(system).await?
        {
            return Ok((answer, Trust::System, true));
        }
    }
    match ask(trust::anybody()?).await? {
        Some(answer) => Ok((answer, Trust::Authority, false)),
        None => Err(CliError::failed(format!("{url} does not speak TLS as it should"))),
    }
}

/// As we print it; people may leave the algorithm out.
fn spelled(given: &str) -> String {
    let bare = given.trim();
    let bare = bare.strip_prefix("SHA256:").unwrap_or(bare);
    format!("SHA256:{}", bare.trim_end_matches('='))
}

fn another_than_given(url: &GateUrl, given: &str, found: &str) -> CliError {
    CliError::failed(format!(
        "REFUSED: the authority of {url} is not the one that you named\n  named  {given}\n  found  {found}"
    ))
    .hint("somebody may be between you and the gate: ask whoever runs it")
}

fn changed(url: &GateUrl, known: &str, found: &str) -> CliError {
    CliError::failed(format!(
        "REFUSED: the authority of {url} has changed since your last login\n  saved  {known}\n  found  {found}"
    ))
    .hint(format!(
        "somebody may be between you and the gate. If whoever runs it names the new fingerprint, type\n  \
         `curfew login {url} --ca-fingerprint FINGERPRINT`"
    ))
}
