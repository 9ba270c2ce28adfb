//! The data folder that every Postgres here starts from: made once for each version and sample, kept under `target/`.
//! It must never be seen half made.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use super::db::Db;
use super::sample;
use super::server::{self, Folder, Server};
use crate::error::{Context, Error, Result};
use crate::process::{self, Process, Stop, Stream};
use crate::root;
use crate::scratch::scratch;

/// No durability: a test's data dies with it. The rest keeps a start quick and small.
const SETTINGS: &str = "\
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = '32MB'
max_connections = 100
autovacuum = off
logging_collector = off
log_line_prefix = '%m [%p] %q%u@%d '
password_encryption = 'scram-sha-256'
";

/// Trusted on the socket, which only its owner reaches; a password everywhere else.
const ACCESS: &str = "\
local all all trust
host  all all 127.0.0.1/32 scram-sha-256
";

/// The folder to copy, made now if it is not there yet. Parallel callers wait for the first.
pub(super) async fn ready() -> Result<PathBuf> {
    let programs = server::programs()?;
    let mut hash = DefaultHasher::new();
    (&programs, SETTINGS, ACCESS, sample::SQL, server::user()).hash(&mut hash);
    let cache = root::cache();
    let template = cache.join(format!("postgres-{:016x}", hash.finish()));
    if template.exists() {
        return Ok(template);
    }
    std::fs::create_dir_all(&cache).context("making target/harness")?;
    let lock = File::create(cache.join("postgres.lock"))?;
    lock.lock().context("waiting for another process to make the sample database")?;
    if template.exists() {
        return Ok(template);
    }
    let scratch = scratch("curfew-init-", server::user())?;
    let folder = Folder::new(scratch.path());
    make(&folder, scratch.path()).await?;
    let unfinished = cache.join("postgres-unfinished");
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished)?;
    }
    server::copy(&folder.data(), unfinished.clone()).await?;
    std::fs::rename(&unfinished, &template)?;
    Ok(template)
}

async fn make(folder: &Folder, scratch: &std::path::Path) -> Result<()> {
    let mut init = process::command(server::programs()?.join("initdb"), Stop::Kill, server::user());
    init.arg("-D").arg(folder.data());
    init.args([
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
        "--no-instructions",
    ]);
    init.current_dir("/");
    let mut init = Process::spawn("initdb", init, Stop::Kill)?;
    if !init.ended(Duration::from_secs(120)).await?.success() {
        return Err(Error::new(format!("initdb failed: {}", init.logs().text(Stream::Err))));
    }
    let conf = folder.data().join("postgresql.conf");
    let mut text = std::fs::read_to_string(&conf)?;
    text.push_str(SETTINGS);
    std::fs::write(&conf, text)?;
    std::fs::write(folder.data().join("pg_hba.conf"), ACCESS)?;

    let settings = [("listen_addresses".to_owned(), String::new()), ("port".to_owned(), "5432".to_owned())];
    let server = Server::start(folder, &settings).await?;
    let db = Db::connect(scratch, 5432, "postgres", "postgres").await?;
    db.query(&format!("create database {}", sample::DATABASE)).await?;
    drop(db);
    let db = Db::connect(scratch, 5432, "postgres", sample::DATABASE).await?;
    db.query(sample::SQL).await?;
    for account in sample::ACCOUNTS {
        db.query(&format!("alter role {account} password '{}'", sample::password(account))).await?;
    }
    drop(db);
    server.finish().await
}
