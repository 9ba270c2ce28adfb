//! What the kernel knows of a session from outside: its processes at the target, and the gate's two sockets. (All of them
//! run on this machine.)

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The variable by which processes are told apart. Clients set it, the target takes LC_*.
pub const MARK: &str = "LC_CURFEW_CELL";

/// Processes: their ids, and when each began, as ids are used again.
#[derive(Clone, Debug, Default)]
pub struct Running(Vec<(String, String)>);

impl Running {
    /// Those that run at this moment, by their marks.
    pub fn by_mark() -> HashMap<String, Self> {
        let mut all: HashMap<String, Self> = HashMap::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().into_string() else { continue };
            let Some((began, mark)) = began(&pid).zip(mark(&pid)) else { continue };
            all.entry(mark).or_default().0.push((pid, began));
        }
        all
    }

    /// The one process of this id, if it runs.
    pub fn one(pid: &str) -> Self {
        Self(began(pid).map(|began| (pid.to_owned(), began)).into_iter().collect())
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether one of them still runs.
    pub fn are_left(&self) -> bool {
        self.0.iter().any(|(pid, at)| began(pid).as_ref() == Some(at))
    }
}

fn mark(pid: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let wanted = format!("{MARK}=");
    let mark = environment.split(|byte| *byte == 0).find_map(|one| one.strip_prefix(wanted.as_bytes()))?;
    String::from_utf8(mark.to_vec()).ok()
}

/// When a process began; none for one that is gone, or waits only for its parent to notice.
fn began(pid: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything (proc(5)).
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    // The 22nd field, of which the third was the state.
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18).map(str::to_owned))?
}

/// The connections of this machine, and the sockets at their first ends.
pub struct Connections(Vec<(SocketAddr, SocketAddr, String)>);

impl Connections {
    /// Those of this moment.
    pub fn now() -> Self {
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let open = table.lines().skip(1).filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let (local, remote) = (address(fields.get(1)?)?, address(fields.get(2)?)?);
            // 01 is ESTABLISHED; the tenth field is the socket's inode (proc(5)).
            (*fields.get(3)? == "01").then_some((local, remote, format!("socket:[{}]", fields.get(9)?)))
        });
        Self(open.collect())
    }

    /// The socket that leads from `local` to `remote`; port 0 is any port.
    pub fn socket(&self, local: SocketAddr, remote: SocketAddr) -> Option<&str> {
        let is = |wanted: SocketAddr, found: SocketAddr| {
            wanted.ip() == found.ip() && (wanted.port() == 0 || wanted.port() == found.port())
        };
        let found = self.0.iter().find(|(from, to, _)| is(local, *from) && is(remote, *to));
        found.map(|(_, _, socket)| socket.as_str())
    }
}

/// The sockets that a process has not closed; none, once it is gone.
pub fn sockets_of(pid: i32) -> HashSet<String> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok()?.into_os_string().into_string().ok()).collect()
}

/// An address as the kernel writes it: in hexadecimal, the host as the number that its bytes are to this machine.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let host = Ipv4Addr::from(u32::from_str_radix(host, 16).ok()?.to_ne_bytes());
    Some((host, u16::from_str_radix(port, 16).ok()?).into())
}

/// The gate's end of the connections that it makes.
pub const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
