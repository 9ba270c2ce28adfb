//! Unmodified pgbench, and the database that it reads.

use std::time::Duration;

use curfew_harness::postgres::{DATABASE, Postgres, PostgresOptions, program};
use curfew_harness::psql::run;
use curfew_harness::{Context, Psql, Result, process};

const LIMIT: Duration = Duration::from_secs(600);

/// How queries are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One Query message each.
    Simple,
    /// Parsed once, then bound and executed.
    Prepared,
}

/// Both, in the order of the tables.
pub const MODES: [Mode; 2] = [Mode::Prepared, Mode::Simple];

impl Mode {
    /// As `pgbench -M` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Prepared => "prepared",
        }
    }
}

/// What a run of pgbench says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ran {
    /// Queries that were answered.
    pub queries: f64,
    /// Queries for each second, without the time of the first connections.
    pub tps: f64,
}

/// A Postgres with pgbench's tables in it, which `orders_read` may read.
pub async fn postgres() -> Result<Postgres> {
    let settings = [("max_connections", "1200"), ("shared_buffers", "256MB")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let postgres = Postgres::start_with(PostgresOptions { settings, ..PostgresOptions::default() }).await?;
    let port = postgres.address().port().to_string();
    let mut fill = process::command(program("pgbench")?, process::Stop::Kill, None);
    fill.args(["-i", "-q", "-s", "5", "-U", "postgres", "-p", &port, "-h"])
        .arg(postgres.socket())
        .arg(DATABASE);
    run(fill, LIMIT).await?.success().context("filling pgbench's tables")?;
    postgres.query("grant select on pgbench_accounts, pgbench_branches to orders_read").await?;
    Ok(postgres)
}

/// `pgbench -S` towards `to`: `queries` for each of the clients.
pub async fn select(to: &Psql, mode: Mode, clients: u32, queries: u32) -> Result<Ran> {
    let (clients, queries) = (clients.to_string(), queries.to_string());
    pgbench(to, &["-S", "-M", mode.name(), "-c", &clients, "-j", "1", "-t", &queries]).await
}

/// `pgbench -S -C` towards `to`: a new connection for each of `queries`, one after the other.
pub async fn connect(to: &Psql, queries: u32) -> Result<Ran> {
    pgbench(to, &["-S", "-C", "-c", "1", "-j", "1", "-t", &queries.to_string()]).await
}

async fn pgbench(to: &Psql, args: &[&str]) -> Result<Ran> {
    let mut command = process::command(program("pgbench")?, process::Stop::Kill, None);
    command.arg("-n").args(args).arg(to.conninfo()).env_clear().envs(to.environment());
    let said = run(command, LIMIT).await?.success()?.stdout;
    parse(&said).context(format!("pgbench says:\n{said}"))
}

fn parse(said: &str) -> Option<Ran> {
    let after = |label: &str| {
        let number = said.lines().find_map(|line| line.strip_prefix(label))?;
        number.split([' ', '/']).next()?.parse::<f64>().ok()
    };
    Some(Ran { queries: after("number of transactions actually processed: ")?, tps: after("tps = ")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_pgbench_is_read() {
        let said = "number of clients: 8\nnumber of transactions actually processed: 80000/80000\n\
                    number of failed transactions: 0 (0.000%)\nlatency average = 0.4 ms\n\
                    tps = 19291.250000 (without initial connection time)\n";
        assert_eq!(parse(said), Some(Ran { queries: 80000.0, tps: 19291.25 }));
        assert_eq!(parse("connection failed"), None);
    }
}
