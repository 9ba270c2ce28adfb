//! `cargo xtask bench`: what a session costs, side by side with doing without. Release builds, real programs, loopback;
//! runs are interleaved and medians compared, because throughput swings with whatever else the machine does.

mod calls;
mod crowd;
mod cut;
mod figure;
mod gate;
mod pgbench;
mod postgres;
mod relay;
mod shapes;
mod ssh;
mod usage;

use std::path::PathBuf;

use clap::Subcommand;
use curfew_harness::{Context, Result, repository};

use crate::install;
use crate::run::{cargo, run};

/// What is measured.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Bench {
    /// Bare relays in three shapes: threads and tasks for each session (docs/adr/0002).
    Shapes,
    /// Curfew with recording on, beside Postgres itself; fails where a goal is missed.
    Postgres {
        /// Three rounds of a few seconds each, instead of five long ones.
        #[arg(long)]
        quick: bool,
    },
    /// The same for SSH, beside an sshd itself and beside `ssh -J` over another.
    Ssh {
        /// With a tenth of the data.
        #[arg(long)]
        quick: bool,
    },
    /// How long after a revocation the last byte passes, with up to a thousand live sessions.
    Cut,
}

/// Builds and measures.
pub fn bench(what: Bench) -> Result<()> {
    install::for_bench()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(async {
        let measured = async {
            match what {
                Bench::Shapes => shapes::shapes().await,
                Bench::Postgres { quick } => postgres::postgres(quick).await,
                Bench::Ssh { quick } => ssh::ssh(quick).await,
                Bench::Cut => cut::cut().await,
            }
        };
        tokio::select! {
            done = measured => done,
            // What was started is dropped with the other branch.
            _ = tokio::signal::ctrl_c() => Err(curfew_harness::Error::new("interrupted")),
        }
    })
}

/// Builds a program as it is shipped, and says where it is.
pub fn release(package: &str, binary: &str) -> Result<PathBuf> {
    run(cargo().args(["build", "--release", "--quiet", "--locked", "--package", package, "--bin", binary]))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    Ok(target.join("release").join(binary))
}
