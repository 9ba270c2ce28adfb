//! A gate in front of an sshd, and the people who go through it.

use std::ffi::OsString;

use curfew_harness::gate::{Contract, SSH_TARGET};
use curfew_harness::sshd::keygen;
use curfew_harness::{Gate, GateOptions, Page, Person, Provider, Ssh, Sshd, Terminal, until};
use serde_json::Value;

use crate::world::LIMIT;

/// Dropped from the top: whoever connects goes before whom they connect to.
pub struct Scene {
    pub gate: Gate,
    pub sshd: Sshd,
    _provider: Provider,
}

impl Scene {
    /// With an approval between asking and having.
    pub async fn approved() -> Self {
        Self::start(|options, sshd| options.ssh_target(sshd, "")).await
    }

    /// With grants for the asking; `more` is put into the contract's `[what]`.
    pub async fn at_once(more: &str) -> Self {
        Self::with(more, |options| options).await
    }

    /// The same, and `change` has the last word on the gate's configuration.
    pub async fn with(more: &str, change: impl FnOnce(GateOptions) -> GateOptions) -> Self {
        Self::start(|options, sshd| {
            let contract = Contract::at_once("web-now", &[SSH_TARGET], sshd.account(), more);
            change(options.ssh_target(sshd, "").only(contract))
        })
        .await
    }

    async fn start(options: impl FnOnce(GateOptions, &Sshd) -> GateOptions) -> Self {
        let (sshd, provider) = tokio::try_join!(Sshd::start(), Provider::start(&[])).unwrap();
        let options = options(GateOptions::new(env!("CARGO_BIN_EXE_curfew")), &sshd);
        let gate = Gate::start(options, &provider).await.unwrap();
        sshd.trust(&gate.public_key("ssh-sessions").unwrap()).unwrap();
        Self { gate, sshd, _provider: provider }
    }

    /// Clients with nothing but the gate's authority.
    pub fn ssh(&self) -> Ssh {
        Ssh::to(self.gate.ssh(), &self.gate.public_key("ssh-authority").unwrap()).unwrap()
    }

    /// The user by which the account on the target is named.
    pub fn user(&self) -> String {
        format!("{}%{SSH_TARGET}", self.sshd.account())
    }

    /// Clients that are signed in as alice: with a grant, and a key that is bound to her sign-in.
    pub async fn alice(&self) -> (Person, Ssh) {
        let alice = self.gate.person("alice").unwrap();
        alice.login().await.unwrap();
        self.grant(&alice, "30m").await;
        let ssh = self.ssh();
        keygen(&ssh.path("id")).await.unwrap();
        let mut terminal = ssh.terminal(&self.user(), ["true"]).unwrap();
        self.sign_in(&alice, &mut terminal).await;
        terminal.wait_for("bind it? [y/N] ", LIMIT).await.unwrap();
        terminal.send_line("y").await.unwrap();
        // Where commands are not allowed, this one fails; the key is bound all the same.
        terminal.wait_for("is bound to your sign-in", LIMIT).await.unwrap();
        terminal.ended(LIMIT).await.unwrap();
        (alice, ssh)
    }

    /// Asks for the account where nobody has to approve, and gives the grant.
    pub async fn grant(&self, person: &Person, duration: &str) -> Value {
        let asked = [
            "request",
            SSH_TARGET,
            "--as",
            self.sshd.account(),
            "--reason",
            "a test",
            "--for",
            duration,
            "--json",
        ];
        let request = person.json(asked).await.unwrap();
        let id = request["grant_id"].as_str().unwrap_or_else(|| panic!("no grant at once: {request}"));
        person.json(["grants", id, "--json"]).await.unwrap()
    }

    /// The gate's host key, one line: what clients need that know nothing of authorities.
    pub async fn host_key(&self, ssh: &Ssh) -> String {
        let port = ssh.port().to_string();
        let args = ["-t", "ed25519", "-p", &port, ssh.host()].map(OsString::from);
        let said = ssh.program("ssh-keyscan", args).await.unwrap().success().unwrap().stdout;
        let line = said.lines().find(|line| !line.starts_with('#')).unwrap();
        line.split_once(' ').unwrap().1.to_owned()
    }

    /// Waits until a recording holds this text, read as JSON lines.
    pub async fn recorded(&self, text: &str) {
        let erin = self.gate.person("erin").unwrap();
        erin.login().await.unwrap();
        let holds = async || {
            let all = erin.json(["sessions", "--json"]).await.ok()?;
            for session in all["items"].as_array()? {
                let args = ["sessions", "export", session["id"].as_str()?, "--format", "jsonl"];
                if erin.curfew(args).await.ok()?.stdout.contains(text) {
                    return Some(());
                }
            }
            None
        };
        until(&format!("{text} in a recording"), LIMIT, holds).await.unwrap();
    }

    /// How many sessions there were so far.
    pub async fn sessions(&self) -> usize {
        let erin = self.gate.person("erin").unwrap();
        erin.login().await.unwrap();
        let all = erin.json(["sessions", "--json"]).await.unwrap();
        all["items"].as_array().unwrap().len()
    }

    /// Opens the link that the terminal shows, agrees, and types the digits.
    pub async fn sign_in(&self, person: &Person, terminal: &mut Terminal) -> Page {
        let link = terminal.link(&self.gate.url(), LIMIT).await.unwrap();
        terminal.wait_for("the six digits that the page shows: ", LIMIT).await.unwrap();
        let page = person.consent(&link).await.unwrap();
        let digits = page.digits().unwrap_or_else(|| panic!("no digits: {}", page.text()));
        terminal.send_line(&digits).await.unwrap();
        page
    }
}
