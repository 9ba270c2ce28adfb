//! What a test's gate is configured with, written out as the files that an operator would write.

use std::ffi::OsString;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Listeners, PROVIDER};
use crate::error::{Context, Result};
use crate::postgres::{ACCOUNTS, DATABASE, Postgres, password};
use crate::provider::{CLIENT_ID, CLIENT_SECRET};
use crate::sshd::Sshd;

/// The target that is the sample database.
pub const TARGET: &str = "orders";

/// The target that is the SSH server.
pub const SSH_TARGET: &str = "web";

/// The contract of the design's example: sre and contractors read, an approver of sre-leads decides.
const CONTRACT: &str = r#"
[contract]
name = "orders-debug"
description = "Read the orders database while debugging an incident"

[who]
groups = ["sre", "contractors"]

[what]
targets = { protocol = "postgres", labels = { env = "demo", app = "orders" } }
accounts = ["orders_read"]

[when]
duration = { default = "30m", max = "4h" }

[ask]
reason = "required"

[[approve]]
from = { groups = ["sre-leads"] }
count = 1

[end]
extend = { max = 2, by = "30m", approval = "again" }

[record]
parameters = "full"
"#;

/// The same for the SSH server.
const SSH_CONTRACT: &str = r#"
[contract]
name = "web-work"
description = "Work on the web server"

[who]
groups = ["sre", "contractors"]

[what]
targets = { protocol = "ssh", labels = { env = "demo", app = "web" } }
accounts = ["ACCOUNT"]
MORE

[when]
duration = { default = "30m", max = "4h" }

[ask]
reason = "required"

[[approve]]
from = { groups = ["sre-leads"] }
count = 1

[end]
extend = { max = 2, by = "30m", approval = "again" }
"#;

/// A contract file: its name without `.toml`, and its text.
#[derive(Clone, Debug)]
pub struct Contract {
    /// The file's name without its end.
    pub name: String,
    /// The TOML text.
    pub text: String,
}

impl Contract {
    /// A contract from its text.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), text: text.to_owned() }
    }

    /// Grants this account on these targets at once, for half an hour if not said, to sre. `more` goes on within `[what]`,
    /// and on with other tables.
    #[must_use]
    pub fn at_once(name: &str, targets: &[&str], account: &str, more: &str) -> Self {
        let text = format!(
            "[contract]\nname = \"{name}\"\ndescription = \"Nobody has to be asked\"\n\n\
             [who]\ngroups = [\"sre\"]\n\n[when]\nduration = {{ default = \"30m\", max = \"4h\" }}\n\n\
             [what]\ntargets = {{ names = {targets:?} }}\naccounts = [\"{account}\"]\n{more}\n"
        );
        Self::new(name, &text)
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        std::fs::write(folder.join("contracts").join(format!("{}.toml", self.name)), &self.text)?;
        Ok(())
    }
}

/// How a gate is set up. The texts are lines of TOML that are put below the header of the same name.
#[derive(Clone, Debug)]
pub struct GateOptions {
    pub(super) binary: PathBuf,
    /// More of `[server]`.
    pub server: String,
    /// More of `[listen]`.
    pub listen: String,
    /// More of the Postgres listener's entry, with a comma in front: `, plaintext = "allow"`.
    pub postgres: String,
    /// All of `[signin]`.
    pub signin: String,
    /// All of `[roles]`.
    pub roles: String,
    /// More of the provider's entry.
    pub provider: String,
    /// All of `[record]`.
    pub record: String,
    /// Whole tables, put last: `[[target]]`, further `[[provider]]`s, anything else.
    pub tables: String,
    /// The contracts; the example of the design if not said.
    pub contracts: Vec<Contract>,
    /// The gate's environment, beside what it inherits.
    pub environment: Vec<(OsString, OsString)>,
}

impl GateOptions {
    /// A gate with no target yet. Tests give `env!("CARGO_BIN_EXE_curfew")`.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            server: String::new(),
            listen: String::new(),
            postgres: String::new(),
            signin: String::new(),
            roles: "admin = { groups = [\"platform\"] }\nauditor = { groups = [\"security\"] }\n".to_owned(),
            provider: String::new(),
            record: String::new(),
            tables: String::new(),
            contracts: vec![Contract::new("orders-debug", CONTRACT)],
            environment: vec![("RUST_BACKTRACE".into(), "1".into())],
        }
    }

    /// The sample database as the target `orders`, over TLS checked in full.
    #[must_use]
    pub fn target(self, postgres: &Postgres) -> Self {
        self.target_at(TARGET, postgres.address(), postgres)
    }

    /// The sample database under another name, or behind a tap: the certificate names any port of 127.0.0.1.
    #[must_use]
    pub fn target_at(self, name: &str, address: SocketAddr, postgres: &Postgres) -> Self {
        let ca = postgres.ca();
        self.target_with(name, address, &format!("mode = \"verify-full\", ca = {:?}", ca.to_string_lossy()))
    }

    /// The same, saying how TLS is spoken: `mode = "disable"` shows a tap what is said.
    #[must_use]
    pub fn target_with(mut self, name: &str, address: SocketAddr, tls: &str) -> Self {
        let accounts: String = ACCOUNTS
            .iter()
            .map(|account| {
                format!("  {{ name = \"{account}\", secret = {{ file = \"secrets/{account}\" }} }},\n")
            })
            .collect();
        self.tables.push_str(&format!(
            "\n[[target]]\nname = \"{name}\"\nprotocol = \"postgres\"\naddress = \"{address}\"\n\
             labels = {{ env = \"demo\", app = \"orders\" }}\ndatabases = [\"{DATABASE}\"]\n\
             tls = {{ {tls} }}\naccounts = [\n{accounts}]\n"
        ));
        self
    }

    /// An SSH server as the target `web`, reached with certificates, and with a contract that lets sre and contractors
    /// ask for it; `more` is put into its `[what]`.
    #[must_use]
    pub fn ssh_target(self, sshd: &Sshd, more: &str) -> Self {
        self.ssh_target_at(sshd.address(), sshd, more)
    }

    /// The same behind a tap.
    #[must_use]
    pub fn ssh_target_at(mut self, address: SocketAddr, sshd: &Sshd, more: &str) -> Self {
        let (key, account) = (sshd.host_key(), sshd.account());
        self.tables.push_str(&format!(
            "\n[[target]]\nname = \"{SSH_TARGET}\"\nprotocol = \"ssh\"\naddress = \"{address}\"\n\
             labels = {{ env = \"demo\", app = \"web\" }}\nhost_keys = {{ pinned = [\"{key}\"] }}\n\
             accounts = [{{ name = \"{account}\", certificate = true }}]\n"
        ));
        let contract = SSH_CONTRACT.replace("ACCOUNT", account).replace("MORE", more);
        self.contract("web-work", &contract)
    }

    /// Puts this contract in, in the place of the one with the same name.
    #[must_use]
    pub fn contract(mut self, name: &str, text: &str) -> Self {
        self.put(Contract::new(name, text));
        self
    }

    /// This contract, and no other.
    #[must_use]
    pub fn only(mut self, contract: Contract) -> Self {
        self.contracts = vec![contract];
        self
    }

    /// An environment variable of the gate.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    pub(super) fn put(&mut self, contract: Contract) {
        self.contracts.retain(|known| known.name != contract.name);
        self.contracts.push(contract);
    }

    /// Writes everything to `folder`; what is there is replaced, the data stays.
    pub(super) fn write(&self, folder: &Path, issuer: &str, listeners: &Listeners) -> Result<()> {
        for name in ["contracts", "secrets", "data"] {
            DirBuilder::new().recursive(true).mode(0o700).create(folder.join(name))?;
        }
        secret(&folder.join("secrets/oidc"), CLIENT_SECRET)?;
        for account in ACCOUNTS {
            secret(&folder.join("secrets").join(account), &password(account))?;
        }
        for contract in &self.contracts {
            contract.write(folder)?;
        }
        let Self { server, listen, postgres: more, signin, roles, provider, record, tables, .. } = self;
        let Listeners { http, postgres, ssh, metrics } = listeners;
        let data = folder.join("data").to_string_lossy().into_owned();
        let config = format!(
            r#"[server]
public_url = "https://{http}"
data_dir = {data:?}
contracts = "contracts/"
{server}
[listen]
http = {{ address = "{http}" }}
postgres = {{ address = "{postgres}"{more} }}
ssh = {{ address = "{ssh}" }}
metrics = {{ address = "{metrics}" }}
{listen}

[signin]
{signin}
[[provider]]
name = "{PROVIDER}"
issuer = "{issuer}"
client_id = "{CLIENT_ID}"
client_secret = {{ file = "secrets/oidc" }}
groups_claim = "groups"
emails = ["example.com"]
{provider}
[roles]
{roles}
[record]
{record}
{tables}"#
        );
        std::fs::write(folder.join("curfew.toml"), config).context("writing curfew.toml")
    }
}

fn secret(path: &Path, text: &str) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(())
}
