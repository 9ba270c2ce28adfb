//! `curfew targets check` of an SSH host. It needs the gate's own keys, for a certificate such as a session gets. What it
//! does there is signing in, and nothing once it is in.

use std::path::{Path, PathBuf};

use curfew_adapter::{HostPort, Login};
use curfew_certs::SessionCertificate;
use curfew_ssh::check::{Check, CheckCertificate, Findings, check};
use jiff::{SignedDuration, Timestamp};

use super::say;
use crate::cli::CliError;
use crate::cli::context::Context;
use crate::cli::file;
use crate::cli::output::{Output, clean};
use crate::config::{Account, Config, Target};
use crate::keys::{Keys, SshKeys};

/// How long the certificates of a check are good.
const LIFETIME: SignedDuration = SignedDuration::from_mins(2);

/// Looks at these accounts of `target`, and gives how much is not as it should be.
///
/// # Errors
/// The host can't be reached, or a key or secret can't be read.
pub async fn run(
    config: &Config,
    target: &Target,
    accounts: &[&Account],
    offers: &[PathBuf],
    cx: &mut Context,
) -> Result<usize, CliError> {
    let keys = Keys::load(&config.server.keys).map_err(|error| CliError::failed(error.to_string()))?;
    let offers = offers.iter().map(|path| public_key(path)).collect::<Result<Vec<_>, _>>()?;
    let HostPort { host, port } = &target.address;
    cx.out.line(format!("{} at {host}:{port}", target.name))?;
    let mut wrong = 0;
    for account in accounts {
        let findings = look(target, account, &keys.ssh, &offers, cx.out.now()).await?;
        wrong += tell(target, account, &findings, &mut cx.out)?;
        if findings.host.is_err() {
            break;
        }
    }
    Ok(wrong)
}

fn public_key(path: &Path) -> Result<String, CliError> {
    let text = String::from_utf8_lossy(&file::read(path)?).trim().to_owned();
    match curfew_certs::ssh_fingerprint(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(CliError::usage(format!("{} is no SSH public key: {error}", path.display()))
            .hint("name the .pub file")),
    }
}

async fn look(
    target: &Target,
    account: &Account,
    keys: &SshKeys,
    offers: &[String],
    now: Timestamp,
) -> Result<Findings, CliError> {
    let secret = match &account.secret {
        Some(source) => Some(source.read().await.map_err(|error| {
            CliError::failed(format!("the secret of {} can't be read: {error}", account.name))
        })?),
        None => None,
    };
    let certify = |ask: CheckCertificate<'_>| {
        let wanted = SessionCertificate {
            key: ask.key,
            key_id: "curfew targets check",
            account: ask.account,
            source: ask.source,
            extensions: &[],
            not_after: now.checked_add(LIFETIME).map_err(|error| error.to_string())?,
        };
        keys.sessions.certify_session(&wanted, now).map_err(|error| error.to_string())
    };
    let asked = Check {
        address: &target.address,
        host_keys: &target.host_keys,
        account: &account.name,
        login: &account.login,
        secret: secret.as_ref(),
        certify: &certify,
        offers,
        now: now.as_second(),
    };
    check(&asked).await.map_err(|cause| {
        CliError::unreachable(format!("{} can't be reached: {}", target.name, clean(&cause)))
            .hint("check its address, and that the gate's machine may connect there")
    })
}

/// Tells what was found, one thing a line; gives how much of it is not as it should be.
fn tell(
    target: &Target,
    account: &Account,
    findings: &Findings,
    out: &mut Output,
) -> Result<usize, CliError> {
    let mut wrong = 0;
    let mut say = |fine: bool, text: String| say(out, &mut wrong, fine, &text);
    if let Err(cause) = &findings.host {
        say(false, format!("it is not the host that `host_keys` knows: {}", clean(cause)))?;
        return Ok(wrong);
    }
    say(true, "its host key is the known one".to_owned())?;
    let name = &account.name;
    match (&findings.sign_in, &account.login) {
        (Ok(()), Login::Certificate) => say(true, format!("{name}: a certificate of the gate is taken"))?,
        (Ok(()), _) => say(true, format!("{name}: the gate's secret is taken"))?,
        (Err(cause), _) => say(false, format!("{name}: the gate is not let in: {}", clean(cause)))?,
    }
    match findings.stranger {
        Some(true) => say(false, format!("{name}: a certificate for another account is taken as well"))?,
        Some(false) => say(true, format!("{name}: a certificate for another account is refused"))?,
        None => {}
    }
    let Some(methods) = &findings.methods else {
        say(false, format!("{name}: anybody is let in, without any proof"))?;
        return Ok(wrong);
    };
    for method in methods {
        let by_design = matches!(account.login, Login::Password);
        match method.as_str() {
            "publickey" => {}
            "password" | "keyboard-interactive" if by_design => {
                say(true, format!("{name}: {method} is offered, as the gate itself signs in by password"))?;
            }
            "password" => say(false, format!("{name}: passwords are taken (PasswordAuthentication no)"))?,
            "keyboard-interactive" => {
                say(
                    false,
                    format!("{name}: keyboard-interactive is offered (KbdInteractiveAuthentication no)"),
                )?;
            }
            other => say(false, format!("{name}: {} is offered", clean(other)))?,
        }
    }
    if methods.iter().all(|method| method == "publickey") {
        say(true, format!("{name}: no password is taken"))?;
    }
    for (key, taken) in &findings.offers {
        match taken {
            true => say(false, format!("{name}: the key {key} is taken (AuthorizedKeysFile none)"))?,
            false => say(true, format!("{name}: the key {key} is refused"))?,
        }
    }
    if findings.offers.is_empty() && methods.iter().any(|method| method == "publickey") {
        out.note(format!(
            "  ?     {name}: whether keys in its authorized_keys are taken can't be seen from here; offer one with \
             `curfew targets check {} --key FILE.pub`",
            target.name
        ))?;
    }
    Ok(wrong)
}
