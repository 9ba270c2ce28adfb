//! The part of the tour with ssh: signed in by link and digits, the key bound, the next one silent, the command killed.

use std::time::{Duration, Instant};

use curfew_harness::clock::millis;
use curfew_harness::sshd::keygen;
use curfew_harness::{Context, Error, Person, Result, Ssh, Terminal, until};

use super::parts::Parts;
use super::tour::{json, say, text};

const LIMIT: Duration = Duration::from_secs(15);
/// The command must be gone from the target's processes by then.
const GONE: Duration = Duration::from_secs(3);

/// The people and programs of this part.
pub struct Shell<'a> {
    parts: &'a Parts,
    ssh: Ssh,
    user: String,
    /// What the cut has to find and end; no other tour on this machine sleeps as long.
    sleep: String,
    alice: &'a Person,
    bob: &'a Person,
    erin: &'a Person,
}

impl<'a> Shell<'a> {
    /// Nothing is started yet.
    pub fn new(parts: &'a Parts, alice: &'a Person, bob: &'a Person, erin: &'a Person) -> Result<Self> {
        let (ssh, user) = parts.ssh()?;
        let sleep = format!("sleep {}", 86_400 + std::process::id());
        Ok(Self { parts, ssh, user, sleep, alice, bob, erin })
    }

    /// Plays it.
    pub async fn play(&self) -> Result<()> {
        keygen(&self.ssh.path("id")).await?;
        let mut terminal = self.sign_in().await.context("ssh")?;
        self.ask(&mut terminal).await.context("ssh request")?;
        self.work(terminal).await.context("shell")?;
        self.silent().await.context("silent")?;
        self.sftp().await.context("sftp")?;
        self.killed().await.context("killed")?;
        self.recorded().await.context("recorded")
    }

    async fn sign_in(&self) -> Result<Terminal> {
        let mut terminal = self.ssh.terminal(&self.user, [""; 0])?;
        let link = terminal.link(&self.parts.gate.url(), LIMIT).await?;
        terminal.wait_for("the six digits that the page shows: ", LIMIT).await?;
        let page = self.alice.consent(&link).await?;
        terminal.send_line(&page.digits().context("the page shows no digits")?).await?;
        let offer = terminal.wait_for("bind it? [y/N] ", LIMIT).await?;
        let key = offer.split_whitespace().find(|word| word.starts_with("SHA256:"));
        let key = key.context(format!("no fingerprint in {offer:?}"))?.to_owned();
        terminal.send_line("y").await?;
        say("ssh", &format!("alice, by link and digits; her key {key} is bound to the sign-in"));
        Ok(terminal)
    }

    async fn ask(&self, terminal: &mut Terminal) -> Result<()> {
        terminal.wait_for("reason: ", LIMIT).await?;
        terminal.send_line("INC-2: pages are slow").await?;
        terminal.wait_for("for how long", LIMIT).await?;
        terminal.send_line("").await?;
        terminal.wait_for("waits for its approval", LIMIT).await?;
        self.bob.login().await?;
        let asked = json(&self.bob.curfew(["requests", "--to-approve", "--json"]).await?.success()?.stdout)?;
        let id = text(asked.pointer("/items/0").context(format!("bob sees no request: {asked}"))?, "id")?;
        self.bob.curfew(["approve", id]).await?.success()?;
        say("asked", "in the terminal, approved by bob with `curfew approve`");
        Ok(())
    }

    async fn work(&self, mut terminal: Terminal) -> Result<()> {
        terminal.wait_for("$ ", LIMIT).await?;
        terminal.send_line("echo shell-$((6*7)); exit").await?;
        terminal.wait_for("shell-42", LIMIT).await?;
        terminal.ended(LIMIT).await?;
        say("shell", "a prompt on the target, and what was typed there was answered");
        Ok(())
    }

    async fn silent(&self) -> Result<()> {
        let begun = Instant::now();
        let done = self.ssh.run(&self.user, ["-o", "BatchMode=yes", "--", "echo silent"]).await?.success()?;
        if done.stdout != "silent\n" {
            return Err(Error::new(format!("the command said {:?}", done.stdout)));
        }
        say("silent", &format!("the next ssh asked nothing and took {} ms", begun.elapsed().as_millis()));
        Ok(())
    }

    async fn sftp(&self) -> Result<()> {
        let file = self.parts.sshd.write("report", "a report\n")?;
        let (batch, copy) = (self.ssh.path("batch"), self.ssh.path("copy"));
        std::fs::write(&batch, format!("get {} {}\n", file.display(), copy.display()))?;
        let mut args = self.ssh.options();
        let (port, user) = (self.ssh.port().to_string(), format!("User={}", self.user));
        for word in ["-q", "-P", &port, "-o", &user, "-b", &batch.to_string_lossy(), self.ssh.host()] {
            args.push(word.into());
        }
        self.ssh.program("sftp", args).await?.success()?;
        if std::fs::read(&copy)? != std::fs::read(&file)? {
            return Err(Error::new("sftp brought something else"));
        }
        say("sftp", &format!("{} fetched through the gate", file.display()));
        Ok(())
    }

    async fn killed(&self) -> Result<()> {
        let sleep = self.sleep.as_str();
        let words = ["-o", "BatchMode=yes", "--", sleep];
        let mut terminal = self.ssh.terminal(&self.user, words)?;
        until("the command to run", LIMIT, async || running(sleep).then_some(())).await?;
        let grants = json(&self.alice.curfew(["grants", "--json"]).await?.success()?.stdout)?;
        let held = grants.get("items").and_then(serde_json::Value::as_array).context("no grants")?;
        let grant = held.iter().find(|grant| grant["target"] == "web" && grant["state"] == "active");
        let grant = text(grant.context(format!("alice has no grant for web: {grants}"))?, "id")?.to_owned();
        let begun = Instant::now();
        self.bob.curfew(["revoke", &grant, "--reason", "the incident is over"]).await?.success()?;
        until("the command to end", GONE, async || (!running(sleep)).then_some(())).await?;
        let gone = millis(begun, Instant::now());
        terminal.wait_for("access to web", LIMIT).await?;
        let sentence = terminal.wait_for("\n", LIMIT).await?;
        say(
            "killed",
            &format!(
                "`{sleep}` was gone {gone:.0} ms after `curfew revoke` began: access to web{}",
                sentence.trim_end()
            ),
        );
        Ok(())
    }

    async fn recorded(&self) -> Result<()> {
        let sessions = json(&self.erin.curfew(["sessions", "--json"]).await?.success()?.stdout)?;
        let all = sessions.get("items").and_then(serde_json::Value::as_array).context("no sessions")?;
        let mut events = String::new();
        let mut count = 0;
        for session in all.iter().filter(|session| session["target"] == "web") {
            let id = text(session, "id")?;
            events.push_str(&self.erin.curfew(["sessions", "export", id]).await?.success()?.stdout);
            count += 1;
        }
        for wanted in ["shell-42", "\"echo silent\"", "report", &self.sleep] {
            if !events.contains(wanted) {
                return Err(Error::new(format!("the recordings lack {wanted}:\n{events}")));
            }
        }
        say("recorded", &format!("{count} sessions: the shell, the commands, the file that sftp fetched"));
        Ok(())
    }
}

/// Whether a process with this command line runs on this machine, which is the target's too.
fn running(command: &str) -> bool {
    let wanted: Vec<u8> =
        command.bytes().map(|byte| if byte == b' ' { 0 } else { byte }).chain([0]).collect();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .map(|entry| entry.path().join("cmdline"))
        .any(|line| std::fs::read(line).is_ok_and(|line| line == wanted))
}
