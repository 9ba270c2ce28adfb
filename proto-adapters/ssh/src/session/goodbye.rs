//! What a client is told on its terminals and beside its commands' output, and with the disconnect.

use super::Live;
use crate::channel::{Entry, Purpose, STDERR};
use crate::text;
use curfew_adapter::Notice;
use russh::{Disconnect, Sig, server};
use std::time::Duration;
use tokio::time::timeout;

/// How long a client may take to say that it has read this far. OpenSSH ends at a disconnect before it has shown what
/// came right ahead of it.
const HEARD: Duration = Duration::from_millis(700);

/// How long a client's library may take to take a warning.
const BRIEF: Duration = Duration::from_millis(100);

/// Ends the connection, with a reason that ssh shows.
pub async fn disconnect(client: &server::Handle, notice: &Notice) {
    // The leg is gone: there is nobody to tell.
    let _ = client.disconnect(Disconnect::ByApplication, text::line(notice), String::new()).await;
}

/// The end is near: said on terminals, and nowhere else.
pub async fn warn(live: &Live, notice: &Notice) {
    let lines = text::terminal(&text::lines(notice));
    for entry in live.registry.all() {
        let terminal = entry.tape().terminal.is_some() && entry.tape().running().is_some();
        if terminal && !live.client_flow.is_blocked() {
            let _ = timeout(BRIEF, show(live, &entry, &lines, false)).await;
        }
    }
}

async fn show(live: &Live, entry: &Entry, text: &[u8], err: bool) {
    // Without room it would wait in the library, and everything else behind it.
    if entry.near.writable_packet_size().await < text.len() {
        return;
    }
    let (id, text) = (entry.near.id(), text.to_vec());
    let _ = match err {
        true => live.client.extended_data(id, STDERR, text).await,
        false => live.client.data(id, text).await,
    };
}

/// Tells the client why its session is over. Done when all of it has left; `true` where the client has said that it
/// has read it.
pub async fn say(live: &Live, notice: &Notice) -> bool {
    let (lines, line) = (text::lines(notice), text::line(notice));
    let (mut shown, mut heard) = (false, false);
    for entry in live.registry.all() {
        let (purpose, terminal, running) = {
            let tape = entry.tape();
            (tape.purpose.clone(), tape.terminal.is_some(), tape.running().is_some())
        };
        let signal = match purpose {
            Purpose::Shell => Sig::HUP,
            Purpose::Exec(_) => Sig::TERM,
            // A file transfer or a forwarded connection has no place for words.
            _ => continue,
        };
        if !running {
            continue;
        }
        let text = if terminal { text::terminal(&lines) } else { lines.clone().into_bytes() };
        show(live, &entry, &text, !terminal).await;
        let (id, language) = (entry.near.id(), String::new());
        let _ = live.client.exit_signal_request(id, signal, false, line.clone(), language).await;
        shown = true;
    }
    if shown {
        // A request that no client grants, for the sake of its answer (RFC 4254, section 7.1).
        heard = timeout(HEARD, live.client.cancel_forward_tcpip(String::new(), 0)).await.is_ok();
    }
    disconnect(&live.client, notice).await;
    live.client_flow.closed().await;
    heard
}
