//! The client's requests on its channels: recorded, passed to the target where the contract allows them, and answered
//! as the target answered. What is not allowed gets a sentence on standard error.

use crate::allow::Files;
use crate::channel::{Entry, Purpose, Terminal};
use crate::leash::within;
use crate::session::{Fault, Live};
use crate::sftp::Access;
use crate::text;
use curfew_adapter::{Event, RecordError};
use russh::server::Session;
use russh::{ChannelId, Error, Pty, Sig};
use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;

/// How long the target may take to answer a request.
const PATIENCE: Duration = Duration::from_secs(30);

/// The exit status of what was not allowed to run; in shells, "found, but may not be executed".
const REFUSED: u32 = 126;

/// The name of a signal, without SIG (RFC 4254, section 6.10).
pub fn signal_name(signal: &Sig) -> String {
    match signal {
        Sig::ABRT => "ABRT",
        Sig::ALRM => "ALRM",
        Sig::FPE => "FPE",
        Sig::HUP => "HUP",
        Sig::ILL => "ILL",
        Sig::INT => "INT",
        Sig::KILL => "KILL",
        Sig::PIPE => "PIPE",
        Sig::QUIT => "QUIT",
        Sig::SEGV => "SEGV",
        Sig::TERM => "TERM",
        Sig::USR1 => "USR1",
        Sig::Custom(name) => name,
    }
    .to_owned()
}

impl Live {
    /// Sends a request, and waits for the target's answer.
    async fn ask(&self, entry: &Entry, sending: impl Future<Output = Result<(), Error>>) -> bool {
        let answered = entry.expect();
        let asking =
            async { sending.await.is_ok() && matches!(timeout(PATIENCE, answered).await, Ok(Ok(true))) };
        within(&self.lease, pin!(asking)).await.unwrap_or(false)
    }

    /// Sends a request that nobody answers.
    async fn tell(&self, sending: impl Future<Output = Result<(), Error>>) -> bool {
        matches!(within(&self.lease, pin!(sending)).await, Some(Ok(())))
    }

    async fn recorded(&self, done: Result<(), RecordError>) -> bool {
        if done.is_err() {
            self.fault(Fault::Recording).await;
        }
        // The client is there: a session in which nothing but its requests passes is not idle.
        self.counters.from_client(0, self.now());
        done.is_ok()
    }

    /// A terminal stands at the client's end.
    pub async fn terminal(
        &self,
        channel: ChannelId,
        term: &str,
        size: [u32; 4],
        modes: &[(Pty, u32)],
    ) -> bool {
        let Some(entry) = self.registry.by_client(channel) else { return false };
        if !(self.allow.shell() || self.allow.exec()) {
            self.refused("terminal", "this contract allows neither shells nor commands");
            return false;
        }
        let [cols, rows, width, height] = size;
        entry.tape().terminal = Some(Terminal { term: term.to_owned(), cols, rows });
        self.ask(&entry, entry.far.request_pty(true, term, cols, rows, width, height, modes)).await
    }

    /// The terminal has another size.
    pub async fn resize(&self, channel: ChannelId, size: [u32; 4]) -> bool {
        let Some(entry) = self.registry.by_client(channel) else { return false };
        let [cols, rows, width, height] = size;
        let noted = {
            let mut tape = entry.tape();
            if let Some(terminal) = &mut tape.terminal {
                (terminal.cols, terminal.rows) = (cols, rows);
            }
            tape.append(&Event::Resize { ch: tape.number(), cols, rows })
        };
        self.recorded(noted).await && self.tell(entry.far.window_change(cols, rows, width, height)).await
    }

    /// A variable for what is started next. Whether the target takes it, it does not say to anybody.
    pub async fn environment(&self, channel: ChannelId, name: &str, value: &str) -> bool {
        let Some(entry) = self.registry.by_client(channel) else { return false };
        let noted = {
            let tape = entry.tape();
            tape.append(&Event::Environment { ch: tape.number(), name, value })
        };
        self.recorded(noted).await && self.tell(entry.far.set_env(false, name, value)).await
    }

    /// A signal for what runs.
    pub async fn signal(&self, channel: ChannelId, signal: Sig) -> bool {
        let Some(entry) = self.registry.by_client(channel) else { return false };
        let noted = {
            let tape = entry.tape();
            tape.append(&Event::Signal { ch: tape.number(), name: &signal_name(&signal) })
        };
        self.recorded(noted).await && self.tell(entry.far.signal(signal)).await
    }

    /// The client's agent may be reached from the target.
    pub async fn forward_agent(&self, channel: ChannelId) -> bool {
        let Some(entry) = self.registry.by_client(channel) else { return false };
        if !self.allow.agent() {
            self.refused("agent", "this contract does not allow the client's agent on the target");
            return false;
        }
        self.ask_for_agent();
        self.ask(&entry, entry.far.agent_forward(true)).await
    }

    /// A shell.
    pub async fn start_shell(&self, channel: ChannelId, session: &mut Session) -> Result<(), Error> {
        let Some(entry) = self.registry.by_client(channel) else { return session.channel_failure(channel) };
        if !self.allow.shell() {
            return self.deny(&entry, "shell", "this contract does not allow shells here", session);
        }
        self.start(&entry, Purpose::Shell, entry.far.request_shell(true), session).await
    }

    /// A command.
    pub async fn start_command(
        &self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Error> {
        let Some(entry) = self.registry.by_client(channel) else { return session.channel_failure(channel) };
        let shown = String::from_utf8_lossy(command).into_owned();
        if !self.allow.exec() {
            let what = format!("exec {shown}");
            return self.deny(&entry, &what, "this contract does not allow commands here", session);
        }
        self.start(&entry, Purpose::Exec(shown), entry.far.exec(true, command), session).await
    }

    /// A subsystem: file transfer, and no other.
    pub async fn start_subsystem(
        &self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        let Some(entry) = self.registry.by_client(channel) else { return session.channel_failure(channel) };
        let what = format!("subsystem {name}");
        match (name, self.allow.files()) {
            ("sftp", Files::Nothing) => {
                self.deny(&entry, &what, "this contract does not allow file transfer", session)
            }
            ("sftp", files) => {
                let access = if files == Files::Write { Access::ReadWrite } else { Access::ReadOnly };
                entry.watch_files(access, &self.recorder);
                self.start(&entry, Purpose::Sftp, entry.far.request_subsystem(true, name), session).await
            }
            _ => self.deny(&entry, &what, "no subsystem but sftp is passed on", session),
        }
    }

    /// Puts a channel to its use: recorded, then asked of the target, then answered.
    async fn start(
        &self,
        entry: &Entry,
        purpose: Purpose,
        sending: impl Future<Output = Result<(), Error>>,
        session: &mut Session,
    ) -> Result<(), Error> {
        let channel = entry.near.id();
        let unused = entry.purpose() == Purpose::Unused;
        let noted = if unused { entry.tape().begin(purpose) } else { Ok(()) };
        if unused && self.recorded(noted).await && self.ask(entry, sending).await {
            session.channel_success(channel)
        } else {
            session.channel_failure(channel)
        }
    }

    /// Says no on the channel, and ends it. A bare failure would end OpenSSH before it has shown the sentence.
    fn deny(&self, entry: &Entry, what: &str, why: &str, session: &mut Session) -> Result<(), Error> {
        self.refused(what, why);
        let channel = entry.near.id();
        let sentence = format!("curfew: {why}\n");
        let shown =
            if entry.tape().terminal.is_some() { text::terminal(&sentence) } else { sentence.into_bytes() };
        session.channel_success(channel)?;
        session.extended_data(channel, crate::channel::STDERR, shown)?;
        session.exit_status_request(channel, REFUSED)?;
        session.eof(channel)?;
        session.close(channel)?;
        entry.hang_up.notify_one();
        Ok(())
    }

    /// A port of the target, connections to which are passed to the client. Answers with the port.
    pub async fn reverse(&self, address: &str, port: u32) -> Option<u32> {
        let what = format!("reverse {port}");
        if !self.allow.reverse(port) {
            self.refused(&what, "this contract does not allow that port of the target");
            return None;
        }
        // Known before the target answers: a connection may come right behind its answer.
        self.reverses.add(address, port);
        let asking = timeout(PATIENCE, self.target.tcpip_forward(address, port));
        match within(&self.lease, pin!(asking)).await {
            Some(Ok(Ok(0))) => Some(port),
            Some(Ok(Ok(chosen))) => {
                self.reverses.remove(address, port);
                self.reverses.add(address, chosen);
                Some(chosen)
            }
            _ => {
                self.reverses.remove(address, port);
                None
            }
        }
    }

    /// The port is not wanted any more.
    pub async fn cancel_reverse(&self, address: &str, port: u32) -> bool {
        let asking = timeout(PATIENCE, self.target.cancel_tcpip_forward(address, port));
        self.reverses.remove(address, port)
            && matches!(within(&self.lease, pin!(asking)).await, Some(Ok(Ok(()))))
    }
}
