//! `curfew init`: a configuration to start from, with fresh keys and a first contract.
//!
//! Owns the texts that it writes. It never replaces a file.

use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use curfew_adapter::Clock;
use jiff::Timestamp;

use super::CliError;
use crate::config::Config;
use crate::keys::{Keys, write_new};

const CONFIG: &str = include_str!("curfew.toml");
const CONTRACT: &str = include_str!("first.toml");
const IGNORED: &str = include_str!("gitignore");

/// Where the gate would be, for who has not decided yet.
const EXAMPLE_URL: &str = "https://gate.example.com";

/// `curfew init …`
#[derive(Debug, clap::Args)]
pub struct Init {
    /// The folder to write to; made if it is not there.
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Where people will reach the gate.
    #[arg(long, value_name = "URL", default_value = EXAMPLE_URL)]
    public_url: url::Url,
    /// Make only the keys, where DIR's curfew.toml says; those of SSH alone where the others are there.
    #[arg(long, conflicts_with = "public_url")]
    keys: bool,
}

impl Init {
    /// Carries it out.
    ///
    /// # Errors
    /// A file is there already, or can't be written.
    pub fn run(self) -> Result<ExitCode, CliError> {
        let (now, out) = (Clock::system().wall(), &mut std::io::stdout().lock());
        if self.keys {
            only_keys(&self.folder, now, out)?
        } else {
            everything(&self, now, out)?
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn only_keys(folder: &Path, now: Timestamp, out: &mut impl Write) -> Result<(), CliError> {
    let config = Config::load(&folder.join("curfew.toml"))
        .map_err(|problems| CliError::failed(problems.to_string().trim_end()))?;
    let folder = &config.server.keys;
    let made = if Keys::lack_only_ssh(folder) { Keys::add_ssh(folder) } else { Keys::create(folder, now) };
    let keys = made.map_err(|error| CliError::failed(error.to_string()))?;
    writeln!(out, "wrote {}", folder.display())?;
    writeln!(out, "the gate's authority is {}", keys.authority.fingerprint())?;
    Ok(())
}

fn everything(asked: &Init, now: Timestamp, out: &mut impl Write) -> Result<(), CliError> {
    let folder = &asked.folder;
    let config = CONFIG.replace("{public_url}", asked.public_url.as_str().trim_end_matches('/'));
    let absolute = std::path::absolute(folder).map_err(|error| cannot(folder, &error))?;
    Config::parse("curfew.toml", &config, &absolute).map_err(|problems| {
        CliError::usage(format!("--public-url {} does not do:\n{problems}", asked.public_url).trim_end())
            .hint("give the https:// address at which people will reach the gate")
    })?;

    let texts = [("curfew.toml", &*config), ("contracts/first.toml", CONTRACT), (".gitignore", IGNORED)];
    let paths = texts.map(|(name, _)| folder.join(name));
    if let Some(path) = paths.iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(CliError::failed(format!(
            "{} is there already, and nothing is replaced",
            path.display()
        ))
        .hint("write to another folder, or make only the keys with `curfew init --keys`"));
    }
    for (name, mode) in [("", 0o755), ("contracts", 0o755), ("secrets", 0o700), ("data", 0o700)] {
        let path = folder.join(name);
        let made = fs::DirBuilder::new().recursive(true).mode(mode).create(&path);
        made.map_err(|error| cannot(&path, &error))?;
    }
    // The keys first: should they be there, nothing else is written.
    let in_keys = folder.join("keys");
    let keys = Keys::create(&in_keys, now).map_err(|error| CliError::failed(error.to_string()))?;
    for ((_, text), path) in texts.iter().zip(&paths) {
        write_new(path, text, 0o644).map_err(|error| cannot(path, &error))?;
    }

    let written = paths.iter().cloned().chain(Keys::files(&in_keys));
    for path in written {
        writeln!(out, "wrote {}", path.display())?;
    }
    let config = folder.join("curfew.toml");
    let config = config.display();
    writeln!(out, "\nthe gate's authority is {}", keys.authority.fingerprint())?;
    writeln!(out, "\nnow say in {config} who your provider is and what your targets are, then:")?;
    writeln!(out, "  curfew check-config --config {config}")?;
    writeln!(out, "  curfew serve --config {config}")?;
    Ok(())
}

fn cannot(path: &Path, error: &std::io::Error) -> CliError {
    CliError::failed(format!("can't write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::check_config;
    use std::os::unix::fs::PermissionsExt;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn init(folder: &Path, url: &str) -> Result<String, CliError> {
        let asked = Init { folder: folder.to_owned(), public_url: url.parse().unwrap(), keys: false };
        let mut out = Vec::new();
        everything(&asked, now(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    /// What is in `folder`; the modes of what is private, as the others follow the umask.
    fn tree(folder: &Path, below: &Path, into: &mut String) {
        let mut entries: Vec<_> = fs::read_dir(below).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            let name = path.strip_prefix(folder).unwrap().display();
            let private = mode & 0o077 == 0;
            into.push_str(&if private { format!("{name} {mode:03o}\n") } else { format!("{name}\n") });
            if path.is_dir() {
                tree(folder, &path, into);
            }
        }
    }

    #[test]
    fn what_it_writes_is_what_we_agreed_on() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("etc/curfew");
        let said = init(&new, "https://gate.example.com/").unwrap();
        let mut golden = String::new();
        tree(&new, &new, &mut golden);
        for name in ["curfew.toml", "contracts/first.toml", ".gitignore"] {
            golden.push_str(&format!("\n=== {name}\n{}", fs::read_to_string(new.join(name)).unwrap()));
        }
        let fingerprint = Keys::load(&new.join("keys")).unwrap().authority.fingerprint();
        assert!(said.contains(&fingerprint));
        golden.push_str("\n=== it says\n");
        golden.push_str(&said.replace(&fingerprint, "SHA256:…").replace(&new.display().to_string(), "DIR"));
        insta::assert_snapshot!(golden);
    }

    #[test]
    fn what_it_writes_passes_the_check() {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path(), "https://gate.example.com:8443").unwrap();
        let mut out = Vec::new();
        let checked = check_config::check(&folder.path().join("curfew.toml"), &mut out);
        let said = String::from_utf8(out).unwrap();
        assert!(checked.is_ok(), "{checked:?} {said}");
        assert!(said.contains("ok  1 contract") && said.contains("secrets/oidc"), "{said}");
    }

    #[test]
    fn the_targets_in_the_comments_are_right_too() {
        let folder = tempfile::tempdir().unwrap();
        let authority = curfew_certs::Authority::generate(now()).unwrap();
        fs::create_dir(folder.path().join("ca")).unwrap();
        fs::write(folder.path().join("ca/internal.pem"), authority.certificate_pem()).unwrap();
        fs::write(folder.path().join("known_hosts"), "").unwrap();
        let mut within = false;
        let mut lines = Vec::new();
        for line in CONFIG.replace("{public_url}", EXAMPLE_URL).lines() {
            within = (within || line == "# [[target]]") && line.starts_with('#');
            lines.push(if within { line.trim_start_matches("# ").to_owned() } else { line.to_owned() });
        }
        let config = Config::parse("curfew.toml", &lines.join("\n"), folder.path())
            .unwrap_or_else(|problems| panic!("{problems}"));
        let contract = crate::contract::Contract::parse("first.toml", CONTRACT).unwrap();
        let facts = config.target("orders").unwrap().facts();
        assert_eq!(config.target("web-1").unwrap().protocol, curfew_adapter::Protocol::Ssh);
        assert!(contract.is_about(&facts) && contract.what.accounts.contains("orders_read"));
    }

    #[test]
    fn nothing_is_replaced() {
        for name in ["curfew.toml", "contracts/first.toml", ".gitignore", "keys/authority.key"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "mine").unwrap();
            let refused = init(folder.path(), EXAMPLE_URL).unwrap_err().to_string();
            assert!(refused.contains("is there already"), "{refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
            assert_eq!(folder.path().join("curfew.toml").exists(), name == "curfew.toml");
        }
    }

    #[test]
    fn a_url_that_would_not_do_is_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        for url in
            ["http://gate.example.com", "http://127.0.0.1:1", "https://gate.example.com/path", "ftp://x"]
        {
            assert!(init(&folder.path().join("new"), url).is_err(), "{url}");
        }
        assert!(!folder.path().join("new").exists());
    }

    #[test]
    fn keys_alone_go_where_the_configuration_says() {
        let folder = tempfile::tempdir().unwrap();
        let config = CONFIG.replace("{public_url}", EXAMPLE_URL).replace("\"keys\"", "\"elsewhere/keys\"");
        fs::write(folder.path().join("curfew.toml"), config).unwrap();
        only_keys(folder.path(), now(), &mut Vec::new()).unwrap();
        assert!(Keys::load(&folder.path().join("elsewhere/keys")).is_ok());
        assert!(only_keys(folder.path(), now(), &mut Vec::new()).is_err());
    }
}
