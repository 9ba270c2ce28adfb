//! What runs at the target, and the end of it.

use super::Live;
use crate::channel::{Entry, Purpose};
use futures_util::future::join_all;
use russh::{Disconnect, Sig};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a command may take to end after TERM, and a shell after HUP.
const TERM: Duration = Duration::from_millis(500);

/// How long what is left may take to end after KILL.
const KILL: Duration = Duration::from_millis(700);

/// How long the target may take to be told that the connection is over.
const LEAVE: Duration = Duration::from_millis(300);

/// What is running, in words.
pub fn running(live: &Live) -> Vec<String> {
    live.registry.all().iter().filter_map(|entry| entry.tape().running()).collect()
}

/// Ends what runs, and the connection: HUP for shells, TERM and then KILL for commands (RFC 4254, section 6.9).
/// Answers with what was done. OpenSSH passes no signals on where root logs in or a command is forced: what does not
/// end there with its connection is named in the answer, and stays.
pub async fn stop(live: &Live) -> String {
    let entries = live.registry.all();
    let of = |shells: bool| -> Vec<&Arc<Entry>> {
        let fits = |entry: &&Arc<Entry>| {
            let tape = entry.tape();
            tape.running().is_some()
                && matches!(tape.purpose, Purpose::Shell | Purpose::Exec(_))
                && (tape.purpose == Purpose::Shell) == shells
        };
        entries.iter().filter(fits).collect()
    };
    let (shells, commands) = (of(true), of(false));
    let (shells_left, commands_left) =
        tokio::join!(end(&shells, &Sig::HUP, TERM), end(&commands, &Sig::TERM, TERM));
    let stubborn = [shells_left, commands_left].concat();
    let left = end(&stubborn, &Sig::KILL, KILL).await;
    leave(live).await;
    let mut said = Vec::new();
    for (signal, all, what) in [("HUP", &shells, "shell"), ("TERM", &commands, "command")] {
        if !all.is_empty() {
            said.push(format!("{signal} to {}", count(all.len(), what)));
        }
    }
    if !stubborn.is_empty() {
        said.push(format!("KILL to {}", stubborn.len()));
    }
    if !left.is_empty() {
        said.push(format!("{} did not end in time", left.len()));
    }
    said.push("the connection was closed".to_owned());
    said.join(", ")
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Sends `signal` to each, and answers with those that did not end in time.
async fn end<'a>(entries: &[&'a Arc<Entry>], signal: &Sig, patience: Duration) -> Vec<&'a Arc<Entry>> {
    let ending = entries.iter().map(|entry| async move {
        // Where the leg is gone, so is what ran over it.
        let _ = timeout(patience, async {
            if entry.far.signal(signal.clone()).await.is_ok() {
                entry.until_ended().await;
            }
        })
        .await;
    });
    join_all(ending).await;
    entries.iter().copied().filter(|entry| entry.tape().running().is_some()).collect()
}

/// Closes every channel and the connection, in good order.
pub async fn leave(live: &Live) {
    let leaving = async {
        for entry in live.registry.all() {
            let _ = entry.far.close().await;
        }
        let _ = live.target.disconnect(Disconnect::ByApplication, "", "").await;
        live.target_flow.closed().await;
    };
    let _ = timeout(LEAVE, leaving).await;
}
