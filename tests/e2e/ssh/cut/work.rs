//! What sessions do: each is opened first, told to begin once all are open, and waited for when it is over.

use std::path::PathBuf;
use std::sync::Arc;

use curfew_harness::{Direction, Process, Ssh, Sshd, Tap, Terminal, until};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::cell::Doing;
use super::files::{CHUNK, SIZE, Transfer};
use super::streams::{LINES, RECORD, listen, note_lines, script, talk};
use crate::matrix::kernel::MARK;
use crate::matrix::stamps::{Newest, Pace};
use crate::matrix::subject::still;
use crate::world::LIMIT;

/// A key exchange begins with a packet that is larger than anything that is typed.
const KEXINIT: usize = 600;

/// The place that sessions are opened from.
pub struct Desk<'a> {
    pub ssh: Ssh,
    pub user: String,
    pub mark: String,
    pub sshd: &'a Sshd,
    pub pace: Pace,
    /// True once all are to begin.
    pub go: watch::Receiver<bool>,
}

/// What a session does, and where its contents come out.
#[derive(Default)]
pub struct Work {
    pub heard: Vec<Arc<Newest>>,
    /// A file at the target that is written to, and in which steps it says when.
    pub file: Option<(PathBuf, usize)>,
    terminals: Vec<Terminal>,
    pipes: Vec<Child>,
    quiet: Vec<Process>,
    tasks: JoinSet<()>,
    rekeys: bool,
}

impl Work {
    pub async fn open(desk: &Desk<'_>, doing: Doing) -> Self {
        let mut work = Self::default();
        match doing {
            Doing::Shell => work.terminals.push(desk.shell("none").await),
            Doing::Top => {
                let mut shell = desk.shell("none").await;
                shell.send_line("TERM=vt100 top -d 0.5").await.unwrap();
                shell.wait_for("load average", LIMIT).await.unwrap();
                work.terminals.push(shell);
            }
            Doing::Sleep => work.quiet.push(desk.sleep("none").await),
            Doing::Stream => work.stream(desk, "none").await,
            Doing::Put => work.put(desk).await,
            Doing::Get => work.get(desk).await,
            Doing::Local => work.local(desk).await,
            Doing::Remote => work.remote(desk).await,
            Doing::Several => {
                let socket = desk.ssh.path("master").display().to_string();
                work.stream(desk, &socket).await;
                work.terminals.push(desk.shell(&socket).await);
                work.quiet.push(desk.sleep(&socket).await);
            }
            Doing::Rekey => {
                let shell = desk.terminal("none", &["-t", "--", LINES]);
                work.terminals.push(shell);
                work.rekeys = true;
            }
        }
        work
    }

    async fn stream(&mut self, desk: &Desk<'_>, control: &str) {
        let file = desk.sshd.folder().join(&desk.mark);
        let mut client = desk.piped(control, &["-o", "ControlMaster=auto", "--", &script(&file, desk.pace)]);
        let (mut to, from) = (client.stdin.take().unwrap(), client.stdout.take().unwrap());
        let mut from = BufReader::new(from);
        let mut ready = String::new();
        from.read_line(&mut ready).await.unwrap();
        assert_eq!(ready, "ready\n", "{}", desk.mark);
        let (heard, pace, mut go) = (self.place(), desk.pace, desk.go.clone());
        self.tasks.spawn(async move {
            go.wait_for(|go| *go).await.unwrap();
            to.write_all(b"go\n").await.unwrap();
            tokio::join!(talk(to, pace), listen(from, &heard));
        });
        self.file = Some((file, RECORD));
        self.pipes.push(client);
    }

    async fn put(&mut self, desk: &Desk<'_>) {
        let file = desk.sshd.folder().join(&desk.mark);
        let transfer = self.transfer(desk, &file, true).await;
        let (pace, mut go) = (desk.pace, desk.go.clone());
        self.tasks.spawn(async move {
            go.wait_for(|go| *go).await.unwrap();
            drop(transfer.put(pace).await);
        });
        self.file = Some((file, CHUNK));
    }

    async fn get(&mut self, desk: &Desk<'_>) {
        let path = desk.sshd.write(&desk.mark, "").unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_len(SIZE).unwrap();
        let transfer = self.transfer(desk, &path, false).await;
        let (heard, pace, mut go) = (self.place(), desk.pace, desk.go.clone());
        self.tasks.spawn(async move {
            go.wait_for(|go| *go).await.unwrap();
            // It ends when the session does, with an error.
            drop(transfer.get(pace, &file, &heard).await);
        });
    }

    async fn transfer(&mut self, desk: &Desk<'_>, file: &std::path::Path, write: bool) -> Transfer {
        let mut client = desk.piped("none", &["-s", "--", "sftp"]);
        let (to, from) = (client.stdin.take().unwrap(), client.stdout.take().unwrap());
        self.pipes.push(client);
        Transfer::open(to, from, file, write).await.unwrap_or_else(|error| panic!("{}: {error}", desk.mark))
    }

    async fn local(&mut self, desk: &Desk<'_>) {
        let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = desk.ssh.path("forward");
        let forward = format!("{}:{}", here.display(), there.local_addr().unwrap());
        self.quiet.push(desk.spawn("none", &["-N", "-L", &forward, "--"]));
        // Its name is there a moment before it listens.
        let open = async || UnixStream::connect(&here).await.ok();
        let (near, _) =
            until("the forward", LIMIT, open).await.unwrap_or_else(|error| panic!("{}: {error}", desk.mark));
        let (far, _) = there.accept().await.unwrap();
        self.both(desk, near);
        self.both(desk, far);
    }

    async fn remote(&mut self, desk: &Desk<'_>) {
        let here = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let forward = format!("0:{}", here.local_addr().unwrap());
        let client = desk.spawn("none", &["-N", "-R", &forward, "--"]);
        let port = |line: &str| line.strip_prefix("Allocated port ")?.split(' ').next()?.parse::<u16>().ok();
        let port = client.logs().find("the port", LIMIT, |line| port(&line.text)).await.unwrap();
        self.quiet.push(client);
        let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (near, _) = here.accept().await.unwrap();
        self.both(desk, near);
        self.both(desk, far);
    }

    /// One end of a forwarded connection.
    fn both(&mut self, desk: &Desk<'_>, end: impl AsyncRead + AsyncWrite + Send + 'static) {
        let (from, to) = tokio::io::split(end);
        let (heard, pace, mut go) = (self.place(), desk.pace, desk.go.clone());
        self.tasks.spawn(async move {
            let (mut from, mut to) = (Box::pin(from), Box::pin(to));
            go.wait_for(|go| *go).await.unwrap();
            tokio::join!(talk(&mut to, pace), listen(&mut from, &heard));
        });
    }

    fn place(&mut self) -> Arc<Newest> {
        let place = Arc::new(Newest::default());
        self.heard.push(place.clone());
        place
    }

    /// Returns once what moves has been seen at the other end.
    pub async fn moving(&mut self, mark: &str) {
        let file = self.file.as_ref().map(|(file, _)| file);
        let moves = async || {
            let arrived = file.is_none_or(|file| std::fs::metadata(file).is_ok_and(|file| file.len() > 0));
            (arrived && self.heard.iter().all(|place| place.at().is_some())).then_some(())
        };
        until(&format!("{mark} to move"), LIMIT, moves).await.unwrap();
        if self.rekeys {
            let shell = &mut self.terminals[0];
            shell.wait_for(" .\r\n", LIMIT).await.unwrap();
        }
    }

    /// Brings the session into the middle of a key exchange, which the client begins (`~R`): the gate has its first
    /// packet, and never gets its second. A client that does not read has not even got the gate's first.
    pub async fn rekey(&mut self, client_side: &Tap, reads: bool) {
        if !self.rekeys {
            return;
        }
        client_side.stall(Direction::ToClient);
        let before = client_side.events().len();
        for typed in ["", "~R"] {
            self.terminals[0].send_line(typed).await.unwrap();
        }
        let begun = |events: &[curfew_harness::tap::Event]| {
            let mut new = events.iter().skip(before).filter(|event| event.direction == Direction::ToTarget);
            new.any(|event| event.what.passed() >= KEXINIT).then_some(())
        };
        client_side.wait_for("a key exchange", LIMIT, begun).await.unwrap();
        if reads {
            client_side.stall(Direction::ToTarget);
            client_side.resume(Direction::ToClient);
            still(&[(client_side, Direction::ToClient)]).await;
        }
    }

    /// Waits for all clients to end, and for what they had left to say.
    pub async fn over(&mut self, mark: &str) {
        for terminal in &mut self.terminals {
            terminal.ended(LIMIT).await.unwrap_or_else(|error| panic!("{mark}: {error}"));
        }
        for client in &mut self.quiet {
            client.ended(LIMIT).await.unwrap_or_else(|error| panic!("{mark}: {error}"));
        }
        for client in &mut self.pipes {
            let ended = tokio::time::timeout(LIMIT, client.wait()).await;
            ended.unwrap_or_else(|_| panic!("{mark}: ssh does not end")).unwrap();
        }
        while let Some(done) = tokio::time::timeout(LIMIT, self.tasks.join_next()).await.expect(mark) {
            done.unwrap();
        }
        if let Some((file, step)) = self.file.take() {
            self.place().note_file(&file, step);
            std::fs::remove_file(file).unwrap();
        }
        if self.rekeys {
            let transcript = self.terminals[0].transcript();
            note_lines(&self.place(), &transcript);
        }
    }
}

impl Desk<'_> {
    /// The options that every client of a session takes; `control` is the socket of a shared connection.
    fn arguments<T>(&self, control: &str, more: &[&str], start: impl FnOnce(&[&str]) -> T) -> T {
        let (mark, control) = (format!("SetEnv={MARK}={}", self.mark), format!("ControlPath={control}"));
        start(&[&["-o", "BatchMode=yes", "-o", &mark, "-o", &control], more].concat())
    }

    /// A shell at its prompt.
    async fn shell(&self, control: &str) -> Terminal {
        let mut terminal = self.terminal(control, &["--"]);
        terminal.wait_for("$ ", LIMIT).await.unwrap_or_else(|error| panic!("{}: {error}", self.mark));
        terminal
    }

    async fn sleep(&self, control: &str) -> Process {
        let client = self.spawn(control, &["--", "echo ready; exec sleep 600"]);
        client.logs().wait_for("ready", LIMIT).await.unwrap();
        client
    }

    fn terminal(&self, control: &str, more: &[&str]) -> Terminal {
        self.arguments(control, more, |args| self.ssh.terminal(&self.user, args)).unwrap()
    }

    fn spawn(&self, control: &str, more: &[&str]) -> Process {
        self.arguments(control, more, |args| self.ssh.spawn(&self.user, args)).unwrap()
    }

    fn piped(&self, control: &str, more: &[&str]) -> Child {
        self.arguments(control, more, |args| self.ssh.piped(&self.user, args)).unwrap()
    }
}
