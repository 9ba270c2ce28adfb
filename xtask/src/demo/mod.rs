//! `cargo xtask demo`: the whole of Curfew with real parts on loopback, to be played with by hand or, with `--tour`, by
//! itself. It must leave nothing running, however it ends.

mod guide;
mod parts;
mod shell;
mod tour;

use curfew_harness::{Result, repository, scratch_below};

use crate::install;
use crate::run::{cargo, run, until_interrupted};

/// Builds, starts everything, and either plays the tour or waits for Ctrl-C.
pub fn demo(tour: bool) -> Result<()> {
    install::for_demo()?;
    run(cargo().args(["build", "--quiet", "--locked", "--package", "curfew", "--bin", "curfew"]))?;
    scratch_below(&repository().join("target/demo"))?;
    let played = async { if tour { tour::play().await } else { by_hand().await } };
    if until_interrupted(played)?.is_none() {
        eprintln!();
    }
    Ok(())
}

async fn by_hand() -> Result<()> {
    let mut parts = parts::Parts::start(parts::Pace::Calm).await?;
    println!("{}", guide::text(&parts).await?);
    parts.gate.ended(std::time::Duration::MAX).await.map(drop)
}
