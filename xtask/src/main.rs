//! `cargo xtask`: what the README and CI call. Parses, runs, exits; owns nothing else.

mod bench;
mod demo;
mod fuzz;
mod install;
mod lint;
mod run;
mod soak;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "What is done with this repository")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs what is missing, then lints, builds and runs every test.
    Test,
    /// Formatting, clippy, dependency directions and the other rules of the house.
    Lint,
    /// Installs what the tests and the demo need, and nothing more.
    Install,
    /// Brings up Curfew with a real Postgres and OIDC provider on loopback, and says what to type.
    Demo {
        /// Plays the whole loop without hands, and ends.
        #[arg(long)]
        tour: bool,
    },
    /// Feeds every parser of a stranger's bytes with strange bytes.
    Fuzz {
        /// How long for each target.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Measures what a session costs.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Does for minutes what the tests do for seconds.
    #[command(subcommand)]
    Soak(soak::Soak),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Test => test::test(),
        Task::Lint => lint::lint(),
        Task::Install => install::install(),
        Task::Demo { tour } => demo::demo(tour),
        Task::Fuzz { seconds } => fuzz::fuzz(seconds),
        Task::Bench(what) => bench::bench(what),
        Task::Soak(what) => soak::soak(what),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
