//! `curfew check-config`: the configuration before it is in force.
//!
//! Owns the output of the check. It reads what `curfew serve` would read at its start, listens nowhere, connects to
//! nothing and runs no command. Mistakes fail the check; what may well be right by the time the gate starts (a secret
//! that only its service sees) is a note.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::CliError;
use crate::config::{Config, SecretSource};
use crate::contract::ContractSet;
use crate::keys::Keys;

/// `curfew check-config …`
#[derive(Debug, clap::Args)]
pub struct CheckConfig {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "curfew.toml")]
    config: PathBuf,
}

impl CheckConfig {
    /// Carries it out.
    ///
    /// # Errors
    /// Every mistake in every file.
    pub fn run(self) -> Result<ExitCode, CliError> {
        check(&self.config, &mut std::io::stdout().lock())?;
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) fn check(path: &Path, out: &mut impl Write) -> Result<(), CliError> {
    let config = Config::load(path).map_err(|problems| mistakes(problems.len(), &problems.to_string()))?;
    let contracts = ContractSet::load(&config.server.contracts);
    let keys = Keys::load(&config.server.keys);

    let mut wrong = String::new();
    let mut count = 0;
    if let Err(problems) = &contracts {
        count += problems.len();
        wrong.push_str(&problems.to_string());
    }
    if let Err(error) = &keys {
        count += 1;
        wrong.push_str(&error.to_string());
    }
    let (Ok(contracts), Ok(keys)) = (contracts, keys) else {
        return Err(mistakes(count, &wrong));
    };

    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let providers = plural(config.providers.len(), "provider");
    let targets = plural(config.targets.len(), "target");
    writeln!(out, "ok  {}: {providers}, {targets}", path.display())?;
    writeln!(
        out,
        "ok  {}: {}",
        plural(contracts.iter().count(), "contract"),
        config.server.contracts.display()
    )?;
    writeln!(out, "ok  authority {} until {:.0}", keys.authority.fingerprint(), keys.authority.not_after())?;
    let notes = shared_domains(&config).into_iter().chain(unreachable_contracts(&config, &contracts));
    for note in notes.chain(secrets(&config)?) {
        writeln!(out, "note: {note}")?;
    }
    Ok(())
}

fn mistakes(count: usize, wrong: &str) -> CliError {
    let counted = if count == 1 { "1 mistake".to_owned() } else { format!("{count} mistakes") };
    CliError::failed(format!("{counted}; the gate would not start\n{}", wrong.trim_end()))
}

/// Email domains that several providers speak for, as their entries say: worth a look each time.
fn shared_domains(config: &Config) -> Vec<String> {
    let mut voices: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for provider in &config.providers {
        for domain in &provider.emails {
            voices.entry(domain).or_default().push(&provider.name);
        }
    }
    let several = voices.into_iter().filter(|(_, names)| names.len() > 1);
    let note = |(domain, names): (&str, Vec<&str>)| {
        format!("the providers {} may each sign in as anybody at {domain}", names.join(" and "))
    };
    several.map(note).collect()
}

/// Contracts that nobody can use with these targets: legal, and most likely a slip in a label or a name.
fn unreachable_contracts(config: &Config, contracts: &ContractSet) -> Vec<String> {
    let mut notes = Vec::new();
    for contract in contracts.iter() {
        let about: Vec<_> =
            config.targets.iter().filter(|target| contract.is_about(&target.facts())).collect();
        if about.is_empty() {
            notes.push(format!("the contract {} fits no target of the configuration", contract.name));
            continue;
        }
        let absent = |account: &&String| about.iter().all(|target| target.account(account).is_none());
        notes.extend(contract.what.accounts.iter().filter(absent).map(|account| {
            format!(
                "the contract {} offers the account {account}, which none of its targets has",
                contract.name
            )
        }));
    }
    notes
}

/// Secrets that can't be read from here and now. Commands are not run: they may well cost or change something.
fn secrets(config: &Config) -> Result<Vec<String>, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let of_providers = config.providers.iter().filter_map(|provider| {
        provider.client_secret.as_ref().map(|secret| (format!("the provider {}", provider.name), secret))
    });
    let of_accounts = config.targets.iter().flat_map(|target| {
        let account =
            |account: &crate::config::Account| format!("the account {} on {}", account.name, target.name);
        target.accounts.iter().filter_map(move |one| Some((account(one), one.secret.as_ref()?)))
    });
    let mut notes = Vec::new();
    for (whose, secret) in of_providers.chain(of_accounts) {
        if matches!(secret, SecretSource::Command(_)) {
            continue;
        }
        if let Err(error) = runtime.block_on(secret.read()) {
            notes.push(format!("no secret for {whose} yet: {error}"));
        }
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const CONFIG: &str = r#"
[server]
public_url = "https://gate.example.com"
data_dir = "data"
[listen]
http = { address = "0.0.0.0:443" }
postgres = { address = "0.0.0.0:5432" }
[[provider]]
name = "example"
issuer = "https://login.example.com"
client_id = "curfew"
client_secret = { command = ["/no/such/program/that/would/fail"] }
emails = ["example.com"]
[[target]]
name = "orders"
protocol = "postgres"
address = "db:5432"
databases = ["orders"]
tls = { mode = "disable" }
accounts = [{ name = "orders_read", secret = { file = "secrets/orders_read" } }]
"#;

    const CONTRACT: &str = r#"
[contract]
name = "NAME"
[who]
groups = ["sre"]
[what]
targets = { names = ["TARGET"] }
accounts = ["orders_read", "ACCOUNT"]
[when]
duration = { max = "1h" }
"#;

    /// A folder with this configuration, these contracts and keys; what the check says there.
    fn checked(config: &str, contracts: &[(&str, &str, &str)], keys: bool) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("contracts")).unwrap();
        fs::write(folder.path().join("curfew.toml"), config).unwrap();
        for (name, target, account) in contracts {
            let text = CONTRACT.replace("NAME", name).replace("TARGET", target).replace("ACCOUNT", account);
            fs::write(folder.path().join("contracts").join(format!("{name}.toml")), text).unwrap();
        }
        let mut fingerprint = String::new();
        if keys {
            let now = "2026-11-21T12:00:00Z".parse().unwrap();
            fingerprint = Keys::create(&folder.path().join("keys"), now).unwrap().authority.fingerprint();
        }
        let mut out = Vec::new();
        let outcome = check(&folder.path().join("curfew.toml"), &mut out);
        let shown = |text: String| {
            let text = text.replace(&folder.path().display().to_string(), "DIR");
            if fingerprint.is_empty() { text } else { text.replace(&fingerprint, "SHA256:…") }
        };
        outcome.map_err(|error| shown(error.to_string()))?;
        Ok(shown(String::from_utf8(out).unwrap()))
    }

    #[test]
    fn a_good_configuration_is_summed_up_with_notes() {
        let contracts = [("a", "orders", "orders_write"), ("b", "odrers", "x")];
        insta::assert_snapshot!(checked(CONFIG, &contracts, true).unwrap());
    }

    #[test]
    fn a_domain_of_two_providers_is_noted() {
        let ours = "emails = [\"example.com\"]\nshared = [\"example.com\"]\ngroups = \"any\"";
        let config = CONFIG.replace("emails = [\"example.com\"]", ours).replace(
            "[[target]]",
            &format!("[[provider]]\nname = \"new\"\nissuer = \"https://new.example.com\"\nclient_id = \"x\"\n{ours}\n[[target]]"),
        );
        let said = checked(&config, &[], true).unwrap();
        assert!(
            said.contains("note: the providers example and new may each sign in as anybody at example.com"),
            "{said}"
        );
    }

    #[test]
    fn mistakes_in_contracts_and_keys_come_together() {
        insta::assert_snapshot!(checked(CONFIG, &[("a", "orders", "\", 5, \"x")], false).unwrap_err());
    }

    #[test]
    fn a_wrong_configuration_is_told_first() {
        let config = CONFIG.replace("data_dir", "data_dri").replace("\"disable\"", "\"disabled\"");
        insta::assert_snapshot!(checked(&config, &[], true).unwrap_err());
    }
}
