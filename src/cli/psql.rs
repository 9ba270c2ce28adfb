//! `curfew psql`: becomes psql, signed in by certificate.
//!
//! Owns nothing of the session: from here on it is psql and the gate.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::CliError;
use super::context::{Common, Context};
use super::route::Route;

/// What could lead psql elsewhere than the parameters say.
const MISLEADING: [&str; 4] = ["PGHOSTADDR", "PGSERVICE", "PGREQUIREAUTH", "PGSSLNEGOTIATION"];

/// Arguments of `curfew psql`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The target, or TARGET/DATABASE
    target: String,
    /// The account on the target; needed where several are offered
    #[arg(long = "as", value_name = "ACCOUNT")]
    account: Option<String>,
    /// The gate, when it is not that of the last login
    #[arg(long, value_name = "URL", env = "CURFEW_GATE", hide_env_values = true)]
    gate: Option<String>,
    /// What psql is to be called with, such as `-- -c 'select 1'`
    #[arg(last = true, value_name = "PSQL ARGUMENTS")]
    psql: Vec<OsString>,
}

/// Runs it. On success it does not come back: this process is psql then.
///
/// # Errors
/// Not signed in, not reached, or there is no psql.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let common = Common { json: false, gate: args.gate };
    let route = Route::find(&common, &args.target, args.account.as_deref(), cx).await?;
    let mut psql = Command::new("psql");
    psql.arg(format!("--dbname={}", route.conninfo())).args(args.psql);
    for name in MISLEADING {
        psql.env_remove(name);
    }
    let error = psql.exec();
    Err(if error.kind() == std::io::ErrorKind::NotFound {
        CliError::failed("psql is not installed").hint(
            "install it (Debian: postgresql-client), or type `curfew connect TARGET` for other programs",
        )
    } else {
        CliError::failed(format!("psql can't be started: {error}"))
    })
}
