//! The texts for ssh_config: one Host block for each target and account, and the line that keeps them fresh.
//!
//! Owns the names by which targets are called there. Pure: it asks nobody and writes nothing.

use std::collections::BTreeSet;
use std::path::Path;

use super::door::user;
use super::files::word;
use crate::cli::CliError;
use crate::cli::client::GateUrl;
use crate::cli::client::wire::Target;

/// What all of these names end in.
pub const SUFFIX: &str = ".curfew";

/// An account on a target, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// `deploy.web-1.curfew`; before it, for the first account of a target, `web-1.curfew`.
    pub names: Vec<String>,
    /// The target.
    pub target: String,
    /// The account.
    pub account: String,
}

/// The hosts of these targets, and the accounts that ssh_config has no name for: `ACCOUNT on TARGET`.
pub fn hosts(targets: &[Target]) -> (Vec<Host>, Vec<String>) {
    let plain = |text: &str| {
        !text.is_empty()
            && !text.starts_with('-')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    let ssh = || targets.iter().filter(|target| target.protocol == "ssh");
    // A target called deploy.web-1 goes before the account deploy on web-1.
    let mut taken: BTreeSet<String> = ssh().map(|target| format!("{}{SUFFIX}", target.name)).collect();
    let (mut hosts, mut left_out) = (Vec::new(), Vec::new());
    for target in ssh() {
        let mut first = true;
        for account in &target.accounts {
            if !plain(&target.name) || !plain(&account.name) {
                left_out.push(format!("{} on {}", account.name, target.name));
                continue;
            }
            let mut names = Vec::new();
            if std::mem::take(&mut first) {
                names.push(format!("{}{SUFFIX}", target.name));
            }
            let full = format!("{}.{}{SUFFIX}", account.name, target.name);
            if taken.insert(full.clone()) {
                names.push(full);
            }
            if names.is_empty() {
                left_out.push(format!("{} on {}", account.name, target.name));
            } else {
                hosts.push(Host { names, target: target.name.clone(), account: account.name.clone() });
            }
        }
    }
    (hosts, left_out)
}

/// The blocks.
pub fn blocks(url: &GateUrl, hosts: &[Host], options: &[(&'static str, String)]) -> String {
    let mut text =
        format!("# The targets behind {url}. Written by `curfew ssh-config`, and replaced as they change.\n");
    for host in hosts {
        text.push_str(&format!("\nHost {}\n", host.names.join(" ")));
        text.push_str(&format!("    User {}\n", user(&host.account, &host.target)));
        for (name, value) in options {
            text.push_str(&format!("    {name} {value}\n"));
        }
    }
    text
}

/// What ~/.ssh/config includes: the renewal, and behind it the blocks at `hosts`, so that these are read afresh.
///
/// # Errors
/// A path that ssh_config can't hold.
pub fn entry(url: &GateUrl, program: &Path, home: &Path, hosts: &Path) -> Result<String, CliError> {
    // Within the double quotes of `exec` the shell sees single ones.
    let quoted = |path: &Path| Ok::<_, CliError>(word(path)?.replace('"', "'"));
    let (program, home) = (quoted(program)?, quoted(home)?);
    Ok(format!(
        "# Written by `curfew ssh-config` for {url}.\n\
         # Renews certificate and targets where they are stale; what it can't do, it leaves.\n\
         Match originalhost *{SUFFIX} exec \"env CURFEW_HOME={home} {program} ssh-config --refresh --gate '{url}'\"\n\
         Match all\n\
         Include {}\n",
        word(hosts)?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn targets(value: serde_json::Value) -> Vec<Target> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn every_account_has_a_name_of_its_own_and_the_first_the_targets() {
        let accounts = |names: &[&str]| names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>();
        let (hosts, left_out) = hosts(&targets(json!([
            { "name": "web-1", "protocol": "ssh", "accounts": accounts(&["deploy", "root", "lu@example.com"]) },
            { "name": "deploy.web-1", "protocol": "ssh", "accounts": accounts(&["x"]) },
            { "name": "orders", "protocol": "postgres", "accounts": accounts(&["orders_read"]) },
            { "name": "odd", "protocol": "ssh", "accounts": accounts(&["a b", "*", "%h", "ok"]) },
        ])));
        let options = [("HostName", "gate.example.com".to_owned()), ("Port", "22".to_owned())];
        let url = GateUrl::parse("https://gate.example.com").unwrap();
        insta::assert_snapshot!(blocks(&url, &hosts, &options), @r"
        # The targets behind https://gate.example.com. Written by `curfew ssh-config`, and replaced as they change.

        Host web-1.curfew
            User deploy@web-1
            HostName gate.example.com
            Port 22

        Host root.web-1.curfew
            User root@web-1
            HostName gate.example.com
            Port 22

        Host deploy.web-1.curfew x.deploy.web-1.curfew
            User x@deploy.web-1
            HostName gate.example.com
            Port 22

        Host odd.curfew ok.odd.curfew
            User ok@odd
            HostName gate.example.com
            Port 22
        ");
        assert_eq!(left_out, ["lu@example.com on web-1", "a b on odd", "* on odd", "%h on odd"]);
    }

    #[test]
    fn the_renewal_comes_before_the_blocks_are_read() {
        let url = GateUrl::parse("https://gate.example.com:8443").unwrap();
        let text = entry(
            &url,
            Path::new("/usr/bin/curfew"),
            Path::new("/home/a b/c"),
            Path::new("/home/a b/c/ssh_hosts"),
        );
        insta::assert_snapshot!(text.unwrap(), @r#"
        # Written by `curfew ssh-config` for https://gate.example.com:8443.
        # Renews certificate and targets where they are stale; what it can't do, it leaves.
        Match originalhost *.curfew exec "env CURFEW_HOME='/home/a b/c' '/usr/bin/curfew' ssh-config --refresh --gate 'https://gate.example.com:8443'"
        Match all
        Include "/home/a b/c/ssh_hosts"
        "#);
        let hostile = Path::new("/opt/$(id)/curfew");
        assert!(entry(&url, hostile, Path::new("/a"), Path::new("/a/b")).is_err());
    }
}
