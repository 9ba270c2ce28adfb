//! `cargo xtask bench`: what a session costs, side by side with doing without. Release builds, real programs, loopback;
//! runs are interleaved and medians compared, because throughput swings with whatever else the machine does.

mod calls;
mod crowd;
mod cut;
mod figure;
mod light;
mod pgbench;
mod postgres;
mod shapes;
mod ssh;
mod usage;

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use curfew_harness::{Context, Result, repository};

use crate::install;
use crate::run::{cargo, run, until_interrupted};

/// What is measured.
#[derive(Clone, Debug, Subcommand)]
pub enum Bench {
    /// Bare relays in three shapes: threads and tasks for each session (docs/adr/0002).
    Shapes,
    /// Curfew with recording on, beside Postgres itself, HAProxy and pgbouncer; fails where a goal is missed.
    Postgres {
        /// With a fifth of the work.
        #[arg(long)]
        quick: bool,
        /// Only these.
        #[arg(long, value_delimiter = ',')]
        only: Vec<postgres::Part>,
    },
    /// The same for SSH, beside an sshd itself and beside `ssh -J` over another.
    Ssh {
        /// With a tenth of the data.
        #[arg(long)]
        quick: bool,
    },
    /// How long after a revocation the last byte passes, with up to ten thousand live sessions.
    Cut {
        /// Sessions of this protocol alone.
        #[arg(long)]
        only: Option<Crowds>,
    },
}

/// Whose sessions are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Crowds {
    /// Shells and commands of a stand-in.
    Ssh,
    /// Sessions of a real Postgres, and of a stand-in.
    Postgres,
}

/// Builds and measures.
pub fn bench(what: Bench) -> Result<()> {
    install::for_bench()?;
    let measured = async {
        match what {
            Bench::Shapes => shapes::shapes().await,
            Bench::Postgres { quick, only } => postgres::postgres(quick, &only).await,
            Bench::Ssh { quick } => ssh::ssh(quick).await,
            Bench::Cut { only } => cut::cut(only).await,
        }
    };
    until_interrupted(measured)?.context("interrupted")
}

/// Builds a program as it is shipped, and says where it is.
pub fn release(package: &str, binary: &str) -> Result<PathBuf> {
    run(cargo().args(["build", "--release", "--quiet", "--locked", "--package", package, "--bin", binary]))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    Ok(target.join("release").join(binary))
}
