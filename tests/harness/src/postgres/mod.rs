//! A real Postgres with the sample database `orders`, on loopback and on a socket in its own folder. It must never
//! touch a cluster of the machine.

mod db;
mod sample;
mod server;
mod template;
#[cfg(test)]
mod tests;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

pub use db::{Db, Row};
pub use sample::{ACCOUNTS, DATABASE, password};
pub use server::program;

use crate::error::{Context, Error, Result};
use crate::port::{ATTEMPTS, free_port};
use crate::scratch::{own, scratch};
use server::{Folder, Server};

/// How long reading the configuration may take.
const READ: Duration = Duration::from_secs(30);

/// How this Postgres differs from the usual one.
#[derive(Clone, Debug, Default)]
pub struct PostgresOptions {
    /// Settings of postgresql.conf, such as `("log_statement", "all")`.
    pub settings: Vec<(String, String)>,
    /// Whether it starts as a standby, which follows nobody until `pg_promote()`.
    pub standby: bool,
}

/// A running Postgres; stopped at once, its files removed, when dropped.
pub struct Postgres {
    server: Option<Server>,
    options: PostgresOptions,
    port: u16,
    // Last: the server must be gone before its files.
    folder: TempDir,
}

impl Postgres {
    /// Starts one with TLS on and the sample database in it. The first start on a machine makes the database and keeps
    /// it under `target/`; later ones copy it.
    ///
    /// # Errors
    /// When Postgres is not installed (`cargo xtask test` installs it) or does not start.
    pub async fn start() -> Result<Self> {
        Self::start_with(PostgresOptions::default()).await
    }

    /// The same, with settings of one's own.
    ///
    /// # Errors
    /// As for [`Postgres::start`].
    pub async fn start_with(options: PostgresOptions) -> Result<Self> {
        let template = template::ready().await?;
        let folder = scratch("curfew-pg-", server::user())?;
        let data = Folder::new(folder.path());
        server::copy(&template, data.data()).await?;
        tls::write(folder.path())?;
        if options.standby {
            std::fs::write(data.data().join("standby.signal"), "")?;
        }
        own(folder.path(), server::user())?;
        let mut postgres = Self { server: None, options, port: 0, folder };
        for _ in 0..ATTEMPTS {
            postgres.port = free_port()?;
            match postgres.boot().await {
                Ok(()) => return Ok(postgres),
                Err(error) if error.to_string().contains("Address already in use") => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::new("five free ports were taken before Postgres could bind them"))
    }

    async fn boot(&mut self) -> Result<()> {
        let mut settings = vec![
            ("listen_addresses".to_owned(), "127.0.0.1".to_owned()),
            ("port".to_owned(), self.port.to_string()),
            ("ssl".to_owned(), "on".to_owned()),
            ("ssl_cert_file".to_owned(), self.file("server.pem")),
            ("ssl_key_file".to_owned(), self.file("server.key")),
        ];
        settings.extend(self.options.settings.iter().cloned());
        self.server = Some(Server::start(&Folder::new(self.folder.path()), &settings).await?);
        Ok(())
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    /// Where it listens, for TLS and plaintext alike.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The authority of its certificate, which names 127.0.0.1 and localhost.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The folder of its Unix socket, where every account is trusted.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// Its folder, whose files its own user may read.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Puts these lines in the place of pg_hba.conf behind the one for the socket; returns when they are in force.
    ///
    /// # Errors
    /// When Postgres does not take them.
    pub async fn admit(&self, lines: &str) -> Result<()> {
        let file = Folder::new(self.folder.path()).data().join("pg_hba.conf");
        std::fs::write(file, format!("local all all trust\n{lines}\n"))?;
        self.reload().await
    }

    /// Reads its configuration anew; returns when that has happened.
    ///
    /// # Errors
    /// When it does not happen.
    pub async fn reload(&self) -> Result<()> {
        let before = self.query("select pg_conf_load_time(), pg_reload_conf()").await?;
        let before = before.first().and_then(|row| row.text(0)).context("no time of the last reading")?;
        self.wait_until(&format!("select pg_conf_load_time() > '{before}'"), READ).await?;
        Ok(())
    }

    /// A connection of `account` (or of the superuser `postgres`) to the sample database, around any gate.
    ///
    /// # Errors
    /// When Postgres refuses.
    pub async fn connect(&self, account: &str) -> Result<Db> {
        Db::connect(self.folder.path(), self.port, account, DATABASE).await
    }

    /// Runs statements as the superuser and gives the rows of the last one, as text.
    ///
    /// # Errors
    /// What Postgres says.
    pub async fn query(&self, sql: &str) -> Result<Vec<Row>> {
        self.connect("postgres").await?.query(sql).await
    }

    /// Waits until `sql`, run as the superuser, gives exactly one row with `t`; answers how long that took.
    ///
    /// # Errors
    /// When `limit` passes before.
    pub async fn wait_until(&self, sql: &str, limit: Duration) -> Result<Duration> {
        let db = self.connect("postgres").await?;
        let db = &db;
        let truth = async || {
            let rows = db.query(sql).await.ok()?;
            matches!(rows.as_slice(), [row] if row.text(0) == Some("t")).then_some(())
        };
        let ((), took) = crate::until(sql, limit, truth).await?;
        Ok(took)
    }

    /// Its log lines.
    ///
    /// # Errors
    /// While it is stopped.
    pub fn logs(&self) -> Result<&crate::Logs> {
        Ok(self.server.as_ref().context("this Postgres is stopped")?.logs())
    }

    /// Stops it at once, cutting every connection; the data stays.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Starts it again on the same port, after [`Postgres::stop`].
    ///
    /// # Errors
    /// When it does not start.
    pub async fn resume(&mut self) -> Result<()> {
        self.boot().await
    }

    /// Freezes the postmaster (no new connections are answered), as an overloaded machine would.
    ///
    /// # Errors
    /// While it is stopped.
    pub fn freeze(&self) -> Result<()> {
        self.server.as_ref().context("this Postgres is stopped")?.signal(Signal::STOP)
    }

    /// Ends [`Postgres::freeze`].
    ///
    /// # Errors
    /// While it is stopped.
    pub fn thaw(&self) -> Result<()> {
        self.server.as_ref().context("this Postgres is stopped")?.signal(Signal::CONT)
    }
}
