//! What a contract may allow on an SSH target, and what it does allow: `shell`, `exec`, `sftp`, `sftp:read`,
//! `forward:HOST:PORT`, `reverse:PORT` and `agent`, with `*` for any port.

use curfew_adapter::{Protocol, Words};
use std::net::IpAddr;

/// The words of this adapter in a contract's `allow`.
pub const WORDS: Words = Words {
    protocol: Protocol::Ssh,
    check: |word| parse(word).map(|_| ()),
    default: &["shell", "exec", "sftp"],
};

/// Any name of a target's own loopback.
const LOOPBACK: &str = "localhost";

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Shell,
    Exec,
    Sftp,
    SftpRead,
    Forward { host: String, port: Option<u16> },
    Reverse { port: Option<u16> },
    Agent,
}

/// How far file transfer is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// Not at all.
    Nothing,
    /// Reading and listing.
    Read,
    /// Everything that the account may.
    Write,
}

/// What is allowed in one session.
#[derive(Clone, Debug)]
pub struct Allow(Vec<Word>);

impl Allow {
    /// Reads the words of a session's terms. What is not a word allows nothing.
    pub fn new(words: &[String]) -> Self {
        Self(words.iter().filter_map(|word| parse(word).ok()).collect())
    }

    /// Shells.
    pub fn shell(&self) -> bool {
        self.0.contains(&Word::Shell)
    }

    /// Commands.
    pub fn exec(&self) -> bool {
        self.0.contains(&Word::Exec)
    }

    /// File transfer.
    pub fn files(&self) -> Files {
        if self.0.contains(&Word::Sftp) {
            Files::Write
        } else if self.0.contains(&Word::SftpRead) {
            Files::Read
        } else {
            Files::Nothing
        }
    }

    /// The client's agent, reached from the target.
    pub fn agent(&self) -> bool {
        self.0.contains(&Word::Agent)
    }

    /// A connection that the target opens to `host` and `port` for the client.
    pub fn forward(&self, host: &str, port: u32) -> bool {
        let asked = canonical(host);
        self.0.iter().any(|word| {
            matches!(word, Word::Forward { host, port: allowed } if *host == asked && matches(*allowed, port))
        })
    }

    /// Whether any connection at all may be opened by the target for the client.
    pub fn forwards(&self) -> bool {
        self.0.iter().any(|word| matches!(word, Word::Forward { .. } | Word::Reverse { .. }))
    }

    /// A port of the target, connections to which are passed to the client. Port 0 is any that the target picks.
    pub fn reverse(&self, port: u32) -> bool {
        self.0.iter().any(|word| matches!(word, Word::Reverse { port: allowed } if matches(*allowed, port)))
    }
}

fn matches(allowed: Option<u16>, port: u32) -> bool {
    allowed.is_none_or(|allowed| u32::from(allowed) == port)
}

/// A host as it is compared: case and a last dot do not count, and all names of the loopback are one.
fn canonical(host: &str) -> String {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    let own = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_unspecified(),
        Ok(IpAddr::V6(address)) => {
            let mapped = address.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback() || v4.is_unspecified());
            address.is_loopback() || address.is_unspecified() || mapped
        }
        Err(_) => host.is_empty() || host == LOOPBACK || host.ends_with(".localhost"),
    };
    match host.parse::<IpAddr>() {
        _ if own => LOOPBACK.to_owned(),
        // 2001:db8::1 has many spellings.
        Ok(address) => address.to_canonical().to_string(),
        Err(_) => host,
    }
}

fn parse(word: &str) -> Result<Word, String> {
    match word {
        "shell" => return Ok(Word::Shell),
        "exec" => return Ok(Word::Exec),
        "sftp" => return Ok(Word::Sftp),
        "sftp:read" => return Ok(Word::SftpRead),
        "agent" => return Ok(Word::Agent),
        _ => {}
    }
    if let Some(port) = word.strip_prefix("reverse:") {
        return Ok(Word::Reverse { port: parse_port(port)? });
    }
    let Some(rest) = word.strip_prefix("forward:") else {
        let words = "shell, exec, sftp, sftp:read, forward:HOST:PORT, reverse:PORT, agent";
        return Err(format!("is not a word of SSH; those are {words}"));
    };
    let Some((host, port)) = rest.rsplit_once(':') else {
        return Err(
            "is not complete: forward:HOST:PORT names a host and a port, or * for any port".to_owned()
        );
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let plain =
        bare.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'%'));
    if bare.is_empty() || !plain {
        return Err("is not a forward to one host: name it in full, patterns are for ports only".to_owned());
    }
    Ok(Word::Forward { host: canonical(host), port: parse_port(port)? })
}

fn parse_port(port: &str) -> Result<Option<u16>, String> {
    if port == "*" {
        return Ok(None);
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(Some(port)),
        _ => Err("has no port between 1 and 65535, nor * for any".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(words: &[&str]) -> Allow {
        Allow::new(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn words_that_are_not_words_are_explained() {
        let wrong = [
            "",
            "Shell",
            "sftp:write",
            "forward",
            "forward:",
            "forward:db",
            "forward:db:",
            "forward:db:0",
            "forward:db:65536",
            "forward:*:22",
            "forward::22",
            "forward:d b:22",
            "reverse",
            "reverse:",
            "reverse:x",
            "reverse:-1",
            "x11",
        ];
        for word in wrong {
            let why = (WORDS.check)(word).expect_err(word);
            assert!(why.starts_with("is ") || why.starts_with("has "), "{why}");
        }
        for word in [
            "shell",
            "exec",
            "sftp",
            "sftp:read",
            "agent",
            "forward:db.internal:5432",
            "forward:[::1]:*",
            "reverse:*",
            "reverse:8080",
        ] {
            assert_eq!((WORDS.check)(word), Ok(()), "{word}");
        }
    }

    #[test]
    fn a_forward_reaches_the_named_host_and_port_alone() {
        let allow = allow(&["forward:db.internal:5432", "forward:2001:db8::1:80", "reverse:8080"]);
        assert!(allow.forward("DB.internal.", 5432) && allow.forward("[2001:DB8:0::1]", 80));
        for (host, port) in
            [("db.internal", 22), ("db", 5432), ("x.db.internal", 5432), ("db.internal", 5432 + 65536)]
        {
            assert!(!allow.forward(host, port), "{host}:{port}");
        }
        assert!(allow.reverse(8080) && !allow.reverse(0) && !allow.reverse(8081));
    }

    #[test]
    fn the_loopback_needs_its_own_word_under_any_of_its_names() {
        let names = [
            "localhost",
            "LOCALHOST.",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "[::1]",
            "0.0.0.0",
            "::",
            "::ffff:127.0.0.1",
            "a.localhost",
            "",
        ];
        for name in names {
            assert!(!allow(&["forward:db:*"]).forward(name, 22), "{name}");
            assert!(allow(&["forward:localhost:*"]).forward(name, 22), "{name}");
        }
        // Spellings that a resolver might take for the loopback are hosts that nobody allowed.
        for name in ["127.1", "0x7f000001", "2130706433"] {
            assert!(!allow(&["forward:localhost:*"]).forward(name, 22), "{name}");
        }
    }

    #[test]
    fn teleport_ghsa_hw4x_the_metadata_service_is_reached_by_no_default() {
        let default = Allow::new(&WORDS.default.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        for host in ["169.254.169.254", "::1", "localhost", "gate.example.com"] {
            assert!(!default.forward(host, 80), "{host}");
        }
        assert!(default.shell() && default.exec() && default.files() == Files::Write);
        assert!(!default.agent() && !default.reverse(0) && !default.forwards());
    }

    #[test]
    fn reading_files_is_less_than_writing_them() {
        assert_eq!(allow(&["sftp:read"]).files(), Files::Read);
        assert_eq!(allow(&["sftp:read", "sftp"]).files(), Files::Write);
        assert_eq!(allow(&["shell", "exec"]).files(), Files::Nothing);
    }
}
