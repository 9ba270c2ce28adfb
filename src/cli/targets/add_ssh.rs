//! `curfew targets add-ssh`: what a host and the gate need to be told, so that the one is reached through the other.
//!
//! Owns the lines of sshd_config (sshd_config(5)). It changes nothing, on no machine.

use std::path::{Path, PathBuf};

use super::pasted::name;
use crate::cli::CliError;
use crate::cli::client::{Client, wire};
use crate::cli::context::{Common, Context};
use crate::cli::file;
use crate::cli::output::Tone;
use crate::config::Config;
use crate::keys::SSH_SESSIONS_PUBLIC;

/// Where the host keeps the gate's public key.
const ON_HOST: &str = "/etc/ssh/curfew-sessions.pub";

/// Arguments of `curfew targets add-ssh`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the target is to be called
    #[arg(value_parser = name)]
    name: String,
    /// Where its sshd listens; port 22 where none is said [default: NAME:22]
    #[arg(long, value_name = "HOST[:PORT]", value_parser = address)]
    address: Option<String>,
    /// An account there; may be given several times
    #[arg(long = "as", value_name = "ACCOUNT", default_value = "deploy", value_parser = account)]
    accounts: Vec<String>,
    /// The gate's configuration, for its public key; left out, the gate is asked
    #[arg(long, value_name = "FILE", env = "CURFEW_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// What is to be pasted, and where.
#[derive(Debug)]
struct Lines {
    authority: String,
    sshd: String,
    target: String,
    host: String,
    port: u16,
}

/// Runs it.
///
/// # Errors
/// The gate's public key can't be had.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let authority = match &args.config {
        Some(path) => of_config(path)?,
        None => {
            let client = Client::saved(&cx.saved(&args.common)?)?;
            client.get(&["ssh"], &[]).await?.read::<wire::SshFacts>()?.sessions
        }
    };
    let lines = lines(&args, authority.trim())?;
    if args.common.json {
        let all = serde_json::json!({
            "authority": lines.authority, "sshd_config": lines.sshd, "target": lines.target,
        });
        return cx.out.raw(all.to_string().as_bytes());
    }
    let Lines { authority, sshd, target, host, port } = lines;
    let out = &mut cx.out;
    let mut title = |text: String| {
        let text = out.paint(Tone::Strong, &text);
        out.line(text)
    };
    title(format!("# 1. On the host, as {ON_HOST}: the key that signs the gate's sessions"))?;
    out.line(authority)?;
    let mut title = |text: &str| {
        let text = out.paint(Tone::Strong, text);
        out.line(text)
    };
    title(
        "\n# 2. On the host, at the top of /etc/ssh/sshd_config (or first in sshd_config.d), as the first value counts;",
    )?;
    title("#    then `sshd -t`, and `systemctl reload ssh`")?;
    out.raw(sshd.as_bytes())?;
    let text = out.paint(Tone::Strong, "\n# 3. In the gate's curfew.toml; then restart the gate");
    out.line(text)?;
    out.raw(target.as_bytes())?;
    out.note(format!(
        "\nThe host key: `ssh-keyscan -t ed25519 -p {port} {host}` tells what the network says. Compare its fingerprint \
         (`ssh-keygen -lf -`) with what the host itself says: `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`.\n\
         At the end, `curfew targets check {} --config curfew.toml` says what is still open.",
        args.name
    ))
}

fn of_config(path: &Path) -> Result<String, CliError> {
    let config = Config::load(path).map_err(|problems| CliError::failed(problems.to_string().trim_end()))?;
    let public = file::read(&config.server.keys.join(SSH_SESSIONS_PUBLIC));
    let public = public.map_err(|error| error.hint("`curfew init --keys` makes the gate's keys"))?;
    Ok(String::from_utf8_lossy(&public).into_owned())
}

fn lines(args: &Args, authority: &str) -> Result<Lines, CliError> {
    curfew_certs::ssh_fingerprint(authority).map_err(|error| {
        CliError::failed(format!("the gate's key for sessions is not understood: {error}"))
    })?;
    let address = args.address.clone().unwrap_or_else(|| format!("{}:22", args.name));
    let (host, port) = crate::cli::route::host_port(&address)?;
    let users = args.accounts.join(",");
    let root = if args.accounts.iter().any(|account| account == "root") {
        "    PermitRootLogin prohibit-password\n"
    } else {
        ""
    };
    // AuthorizedPrincipalsFile is left alone: within Match, sshd takes `none` for a file (9.2 does), and refuses everybody.
    // Without one, a certificate's principal must be the account, as the gate makes them.
    let sshd = format!(
        "Match User {users}\n\
         \x20   # In by a certificate of the gate alone, made for one session: its principal is the account.\n\
         \x20   TrustedUserCAKeys {ON_HOST}\n\
         \x20   AuthenticationMethods publickey\n\
         \x20   PubkeyAuthentication yes\n\
         {root}\
         \x20   # No way around the gate: no key of the account's own, no password.\n\
         \x20   AuthorizedKeysFile none\n\
         \x20   AuthorizedKeysCommand none\n\
         \x20   PasswordAuthentication no\n\
         \x20   KbdInteractiveAuthentication no\n\
         \x20   HostbasedAuthentication no\n\
         \x20   GSSAPIAuthentication no\n\
         Match all\n"
    );
    let name = &args.name;
    let accounts: String = args
        .accounts
        .iter()
        .map(|account| format!("  {{ name = \"{account}\", certificate = true }},\n"))
        .collect();
    let target = format!(
        "[[target]]\n\
         name = \"{name}\"\n\
         protocol = \"ssh\"\n\
         address = \"{address}\"\n\
         labels = {{ app = \"{name}\" }} # for contracts to match\n\
         host_keys = {{ pinned = [\"HOST-KEY\"] }} # such as \"ssh-ed25519 AAAA…\"\n\
         accounts = [\n{accounts}]\n"
    );
    Ok(Lines { authority: authority.to_owned(), sshd, target, host, port })
}

/// An account that a pattern of sshd_config means as it stands.
fn account(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits = !text.is_empty() && text.len() <= 63 && !text.starts_with('-') && text.chars().all(plain);
    fits.then(|| text.to_owned()).ok_or_else(|| "an account is a Unix user, such as deploy".to_owned())
}

fn address(text: &str) -> Result<String, String> {
    let bare = text.strip_suffix(']').is_some() || !text.contains(':');
    let full = if bare { format!("{text}:22") } else { text.to_owned() };
    crate::cli::route::host_port(&full).map(|_| full).map_err(|_| "such as web-1.internal:22".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn args(accounts: &[&str], at: Option<&str>) -> Args {
        Args {
            name: "web-1".to_owned(),
            address: at.map(|text| address(text).unwrap()),
            accounts: accounts.iter().map(|text| account(text).unwrap()).collect(),
            config: None,
            common: Common::default(),
        }
    }

    #[test]
    fn the_lines_confine_the_accounts_to_certificates_of_the_gate() {
        let lines = lines(&args(&["deploy", "root"], Some("web-1.internal")), KEY).unwrap();
        assert_eq!((lines.host.as_str(), lines.port), ("web-1.internal", 22));
        insta::assert_snapshot!(lines.sshd, @r"
        Match User deploy,root
            # In by a certificate of the gate alone, made for one session: its principal is the account.
            TrustedUserCAKeys /etc/ssh/curfew-sessions.pub
            AuthenticationMethods publickey
            PubkeyAuthentication yes
            PermitRootLogin prohibit-password
            # No way around the gate: no key of the account's own, no password.
            AuthorizedKeysFile none
            AuthorizedKeysCommand none
            PasswordAuthentication no
            KbdInteractiveAuthentication no
            HostbasedAuthentication no
            GSSAPIAuthentication no
        Match all
        ");
    }

    #[test]
    fn the_targets_entry_is_one_that_the_configuration_takes() {
        let lines = lines(&args(&["deploy"], Some("[::1]:2222")), KEY).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let before = "[server]\npublic_url = \"https://gate.example.com\"\ndata_dir = \"data\"\n[listen]\n\
            http = { address = \"0.0.0.0:443\" }\npostgres = { address = \"0.0.0.0:5432\" }\n[[provider]]\n\
            name = \"example\"\nissuer = \"https://login.example.com\"\nclient_id = \"c\"\nemails = [\"example.com\"]\n\
            client_secret = { file = \"x\" }\n";
        let text = format!("{before}{}", lines.target.replace("HOST-KEY", KEY));
        let config =
            Config::parse("curfew.toml", &text, folder.path()).unwrap_or_else(|wrong| panic!("{wrong}"));
        let target = config.target("web-1").unwrap();
        assert_eq!((target.address.host.as_str(), target.address.port), ("::1", 2222));
        assert!(matches!(target.account("deploy").unwrap().login, curfew_adapter::Login::Certificate));
        let unedited = Config::parse("curfew.toml", &format!("{before}{}", lines.target), folder.path());
        assert!(unedited.unwrap_err().to_string().contains("must be public keys"));
    }

    #[test]
    fn names_that_mean_more_than_they_say_are_refused() {
        for text in ["*", "a,b", "!root", "a b", "-a", "", "a\nMatch all"] {
            assert!(account(text).is_err(), "{text}");
        }
        assert!(name("web-1").is_ok() && name("Web").is_err() && name("a\"").is_err());
        assert_eq!(address("web-1").unwrap(), "web-1:22");
        assert_eq!(address("[::1]").unwrap(), "[::1]:22");
        assert!(address("a b:22").is_err() && address("web:x").is_err());
    }
}
