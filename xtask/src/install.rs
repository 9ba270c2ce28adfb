//! What the tests need from outside of cargo. Each step looks first, does only what is missing, and is quick when there
//! is nothing to do. It must never touch anything outside the repository but packages, and those only as root.

use std::fs;
use std::path::Path;

use curfew_harness::sshd::ACCOUNT;
use curfew_harness::{Context, Error, Result, repository};

use crate::run::{command, output, run, works};

/// The oldest Node that the provider of the tests runs on.
const NODE: u32 = 20;

/// Installs what is missing.
pub fn install() -> Result<()> {
    packages(missing())?;
    account()?;
    node_version()?;
    for folder in ["tests/fixtures/oidc-provider", "tests/fixtures/drivers", "tests/browser"] {
        node_modules(&repository().join(folder))?;
    }
    python()
}

/// Installs what the demo needs, which is less.
pub fn for_demo() -> Result<()> {
    packages(missing())?;
    account()?;
    node_version()?;
    node_modules(&repository().join("tests/fixtures/oidc-provider"))
}

/// Installs what the benches need beside that.
pub fn for_bench() -> Result<()> {
    for_demo()?;
    let needs = [
        (works("strace", &["--version"]), "strace"),
        (works("haproxy", &["-v"]), "haproxy"),
        (works("pgbouncer", &["--version"]), "pgbouncer"),
    ];
    packages(needs.into_iter().filter(|(there, _)| !there).map(|(_, package)| package).collect())
}

/// What must be there, and the Debian package that brings it.
fn missing() -> Vec<&'static str> {
    let postgres = fs::read_dir("/usr/lib/postgresql")
        .is_ok_and(|versions| versions.flatten().any(|version| version.path().join("bin/initdb").exists()));
    let chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let needs = [
        (postgres, "postgresql"),
        (Path::new("/usr/sbin/sshd").exists(), "openssh-server"),
        (works("ssh", &["-V"]), "openssh-client"),
        (works("rsync", &["--version"]), "rsync"),
        (works("git", &["--version"]), "git"),
        (works("psql", &["--version"]), "postgresql-client"),
        (chromium.iter().any(|path| Path::new(path).exists()), "chromium"),
        (works("prometheus", &["--version"]) && works("promtool", &["--version"]), "prometheus"),
        (works("python3", &["-c", "import venv, ensurepip"]), "python3-venv"),
        (works("javac", &["-version"]), "default-jdk-headless"),
        (Path::new("/usr/share/java/postgresql.jar").exists(), "libpostgresql-jdbc-java"),
        (works("node", &["--version"]), "nodejs"),
        (works("npm", &["--version"]), "npm"),
        (works("cc", &["--version"]), "build-essential"),
        (works("top", &["-V"]), "procps"),
        (works("setpriv", &["--version"]), "util-linux"),
    ];
    needs.into_iter().filter(|(there, _)| !there).map(|(_, package)| package).collect()
}

fn packages(missing: Vec<&str>) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    if !root()? {
        return Err(Error::new(format!("some programs are missing; please run:\n\n    sudo {install}\n")));
    }
    run(command("apt-get").arg("update").arg("-q"))?;
    let mut words = install.split(' ');
    let program = words.next().context("an empty command")?;
    // The packages' own services are not wanted here: tests start what they need.
    run(command(program).args(words).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1"))
}

/// Whom root's shells through the gate belong to. With `*` it has no password, and is not locked either: a locked one may
/// not log in at all.
fn account() -> Result<()> {
    if works("id", &[ACCOUNT]) || !root()? {
        return Ok(());
    }
    let add = ["--create-home", "--shell", "/bin/bash", "--password", "*", ACCOUNT];
    run(command("useradd").args(add))
}

fn root() -> Result<bool> {
    Ok(output(command("id").arg("-u"))?.trim() == "0")
}

fn node_version() -> Result<()> {
    let version = output(command("node").arg("--version"))?;
    let major: Option<u32> =
        version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    match major {
        Some(major) if major >= NODE => Ok(()),
        _ => Err(Error::new(format!(
            "Node {} is too old for the OIDC provider of the tests; install Node {NODE} or later (nodejs.org)",
            version.trim()
        ))),
    }
}

/// `npm ci`, unless the lock file is the one that was installed last.
fn node_modules(folder: &Path) -> Result<()> {
    let lock = fs::read(folder.join("package-lock.json")).context("package-lock.json")?;
    let stamp = folder.join("node_modules/.installed-lock");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    run(command("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder))?;
    fs::write(stamp, lock)?;
    Ok(())
}

/// A Python of our own with what the tests need: the second verifier, and what people reach SSH hosts and Postgres with.
fn python() -> Result<()> {
    let wanted = repository().join("tests/requirements.txt");
    let python = curfew_harness::python();
    let folder = python.parent().and_then(Path::parent).context("a folder for Python")?;
    let stamp = folder.join("installed-requirements.txt");
    let text = fs::read(&wanted).context("tests/requirements.txt")?;
    if fs::read(&stamp).is_ok_and(|installed| installed == text) && python.exists() {
        return Ok(());
    }
    run(command("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
    run(command(&python)
        .args(["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r"])
        .arg(&wanted))?;
    fs::write(stamp, text)?;
    Ok(())
}
