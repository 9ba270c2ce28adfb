//! An sshd, another to jump over, a gate as it is shipped, and alice, who has a certificate and a grant there.

use std::path::{Path, PathBuf};

use curfew_harness::gate::{Contract, SSH_TARGET};
use curfew_harness::sshd::{keygen, public_line};
use curfew_harness::{Context, Gate, GateOptions, Person, Provider, Result, Sshd, process};
use tokio::process::Command;

use super::super::crowd::{self, Size};
use super::super::light::Light;
use super::super::release;

/// The target with thousands of light sessions: ssh-target of curfew-benches.
pub const CROWD: &str = "crowd";

/// How a host is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Straight.
    Direct,
    /// `ssh -J`: through the second sshd.
    Jump,
    /// Through a relay that is two legs of russh and nothing else: the floor under the gate.
    Bare,
    /// Through the gate, recorded.
    Gate,
}

/// Those that a person has.
pub const WAYS: [Way; 3] = [Way::Direct, Way::Jump, Way::Gate];

impl Way {
    /// The host's name in the configuration.
    pub const fn host(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Jump => "jumped",
            Self::Bare => "bare",
            Self::Gate => "gate",
        }
    }
}

/// All of it. Dropped from the top.
pub struct Scene {
    /// The gate.
    pub gate: Gate,
    /// Alice, who is signed in.
    pub alice: Person,
    _provider: Provider,
    _crowded: Light,
    /// The relay that does nothing else.
    pub bare: Light,
    /// The target.
    pub sshd: Sshd,
    /// The sshd that is jumped over.
    pub jump: Sshd,
}

impl Scene {
    /// Starts all of it, signs alice in and gives her access.
    pub async fn start() -> Result<Self> {
        let binary = release("curfew", "curfew")?;
        let crowded = Light::start("ssh-target", &[]).await?;
        let (sshd, jump, provider) = tokio::try_join!(Sshd::start(), Sshd::start(), Provider::start(&[]))?;
        // For the hosts that know no certificates of the gate's.
        let key_file = sshd.folder().join("key");
        keygen(&key_file).await?;
        let line = public_line(&sshd.folder().join("key.pub"))?;
        sshd.authorize(&line)?;
        jump.authorize(&line)?;
        let (target, file) = (sshd.address().to_string(), key_file.to_string_lossy().into_owned());
        let bare = ["--target", &target, "--user", sshd.account(), "--key", &file];
        let bare = Light::start("ssh-relay", &bare).await?;
        let account = sshd.account();
        let Light { address, key, .. } = &crowded;
        let mut options = GateOptions::new(binary).ssh_target(&sshd, "");
        options.tables.push_str(&format!(
            "\n[[target]]\nname = \"{CROWD}\"\nprotocol = \"ssh\"\naddress = \"{address}\"\n\
             host_keys = {{ pinned = [\"{key}\"] }}\n\
             accounts = [{{ name = \"{account}\", certificate = true }}]\n"
        ));
        // As many sessions as the benches want, of every use that is recorded.
        let contract = Contract::at_once("bench", &[SSH_TARGET, CROWD], account, "[end]\nsessions = 2000");
        let gate = Gate::start(options.only(contract), &provider).await?;
        sshd.trust(&gate.public_key("ssh-sessions")?)?;
        let alice = gate.person("alice")?;
        alice.login().await?;
        let scene = Self { gate, alice, _provider: provider, _crowded: crowded, bare, sshd, jump };
        scene.know()?;
        scene.grant(SSH_TARGET).await?;
        Ok(scene)
    }

    /// Gives alice access to a target; the grant's id.
    pub async fn grant(&self, target: &str) -> Result<String> {
        let asked =
            ["request", target, "--as", self.sshd.account(), "--reason", "bench", "--for", "4h", "--json"];
        let request = self.alice.json(asked).await?;
        let grant = request.get("grant_id").and_then(serde_json::Value::as_str);
        Ok(grant.context(format!("no grant at once: {request}"))?.to_owned())
    }

    /// Many sessions of hers from one process, to the light target.
    pub fn crowd(&self, size: Size) -> Result<Command> {
        let mut command =
            process::command(release("curfew-benches", "ssh-crowd")?, process::Stop::Kill, None);
        let user = format!("{}%{CROWD}", self.sshd.account());
        command.args(["--gate", &self.gate.ssh().to_string(), "--user", &user]);
        command.arg("--key").arg(self.kept("id_curfew")?);
        command.arg("--certificate").arg(self.kept("id_curfew-cert.pub")?);
        command.args(["--every", &size.every.as_millis().to_string()]);
        crowd::sized(&mut command, size);
        Ok(command)
    }

    /// The file of this name that `curfew login` has left.
    fn kept(&self, name: &str) -> Result<PathBuf> {
        Ok(self.alice.kept()?.join(name))
    }

    /// Writes down whose key is whose.
    fn know(&self) -> Result<()> {
        let authority = self.gate.public_key("ssh-authority")?;
        let (sshd, jump, bare) = (self.sshd.host_key(), self.jump.host_key(), &self.bare.key);
        let known = format!("@cert-authority * {authority}\n* {sshd}\n* {jump}\n* {bare}\n");
        std::fs::write(self.at("known_hosts"), known)?;
        Ok(())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.alice.home().join(name)
    }

    /// A program of OpenSSH, which knows the hosts by their names; with this cipher on every leg, where one is given.
    pub fn command(&self, program: &str, cipher: Option<&str>) -> Result<Command> {
        let config = self.at(&format!("config-{}", cipher.unwrap_or("default")));
        std::fs::write(&config, self.config(cipher)?)?;
        let mut command = process::command(program, process::Stop::Kill, None);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("HOME", self.alice.home()).env("LC_ALL", "C.UTF-8");
        command.arg("-F").arg(config);
        Ok(command)
    }

    /// What ssh reads: `-J` hands its file on to the ssh that it starts for the jump, and nothing else.
    fn config(&self, cipher: Option<&str>) -> Result<String> {
        let account = self.sshd.account();
        let host = |name: &str, port: u16, user: &str, key: &Path, more: &str| {
            format!("Host {name}\n  Port {port}\n  User {user}\n  IdentityFile \"{}\"\n{more}", key.display())
        };
        let (key, certified) = (self.sshd.folder().join("key"), self.kept("id_curfew")?);
        let (sshd, jump) = (self.sshd.address().port(), self.jump.address().port());
        let mut config = cipher.map(|cipher| format!("Ciphers {cipher}\n")).unwrap_or_default();
        config.push_str(&format!(
            "HostName 127.0.0.1\nUserKnownHostsFile \"{}\"\nGlobalKnownHostsFile none\n\
             StrictHostKeyChecking yes\nBatchMode yes\nIdentitiesOnly yes\nIdentityAgent none\nLogLevel ERROR\n",
            self.at("known_hosts").display()
        ));
        config.push_str(&host(Way::Direct.host(), sshd, account, &key, ""));
        config.push_str(&host("jump", jump, account, &key, ""));
        config.push_str(&host(Way::Jump.host(), sshd, account, &key, "  ProxyJump jump\n"));
        config.push_str(&host(Way::Bare.host(), self.bare.address.port(), account, &key, ""));
        let user = format!("{account}%{SSH_TARGET}");
        config.push_str(&host(Way::Gate.host(), self.gate.ssh().port(), &user, &certified, ""));
        Ok(config)
    }
}
