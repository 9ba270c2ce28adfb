//! `cargo xtask demo`: the whole of Curfew with real parts on loopback, to be played with by hand or, with `--tour`, by
//! itself. It must leave nothing running, however it ends.

mod guide;
mod parts;
mod shell;
mod tour;

use curfew_harness::{Context, Result, repository, scratch_below};

use crate::install;
use crate::run::{cargo, run};

/// Builds, starts everything, and either plays the tour or waits for Ctrl-C.
pub fn demo(tour: bool) -> Result<()> {
    install::for_demo()?;
    run(cargo().args(["build", "--quiet", "--locked", "--package", "curfew", "--bin", "curfew"]))?;
    scratch_below(&repository().join("target/demo"))?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(async {
        let hands_off = async { if tour { tour::play().await } else { by_hand().await } };
        tokio::select! {
            done = hands_off => done,
            // What was started is dropped with the other branch.
            _ = tokio::signal::ctrl_c() => {
                eprintln!();
                Ok(())
            }
        }
    })
}

async fn by_hand() -> Result<()> {
    let mut parts = parts::Parts::start(parts::Pace::Calm).await?;
    println!("{}", guide::text(&parts).await?);
    parts.gate.ended(std::time::Duration::MAX).await.map(drop)
}
