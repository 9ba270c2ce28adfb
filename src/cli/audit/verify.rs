//! `curfew audit verify`: the chain of lines and its checkpoints, checked on this machine.
//!
//! Owns where lines, checkpoints and keys come from. The check itself is [`crate::audit::chain::verify`].

use std::path::PathBuf;
use std::sync::mpsc;

use super::pages::Pages;
use crate::audit::chain::{self, AuditReport};
use crate::audit::{PublicKeys, finding};
use crate::cli::client::Client;
use crate::cli::context::{Common, Context};
use crate::cli::{CliError, file, keys, verdict};

/// How many lines may be on the way to the verifier.
const AHEAD: usize = 1024;

/// Arguments of `curfew audit verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A log that was exported; left out, the gate's own
    file: Option<PathBuf>,
    /// Signed checkpoints, best from where the gate's host can't change them
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Public keys (PEM) that checkpoints are judged by; left out, those that the gate tells
    #[arg(long, value_name = "PEM")]
    key: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// The log is not as it was written; or something can't be read or reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let client = if args.file.is_none() { Some(cx.client(&args.common)?) } else { None };
    let checkpoints = match (&args.checkpoint, &client) {
        (Some(path), _) => Some(split(&file::read(path)?)),
        (None, Some(client)) => Some(fetched(client).await?),
        (None, None) => None,
    };
    // Without checkpoints nothing is signed, and a file can be checked with no gate in reach.
    let judges = match &checkpoints {
        Some(_) => Some(keys::find(args.key.as_deref(), &args.common, cx).await?),
        None => None,
    };
    let source = judges.as_ref().map(|judges| judges.source.clone());
    let public = judges.map(|judges| judges.keys).unwrap_or_default();
    let report = match (&args.file, &client) {
        (Some(path), _) => chain::verify(split(&file::read(path)?), checkpoints, &public),
        (None, Some(client)) => streamed(client, checkpoints, public).await?,
        (None, None) => return Err(CliError::usage("name a FILE, or sign in to a gate")),
    };
    tell(&report, source.as_deref(), args.common.json, cx)
}

fn tell(report: &AuditReport, source: Option<&str>, json: bool, cx: &mut Context) -> Result<(), CliError> {
    let what = format!("{} lines of the audit log", report.lines);
    if json {
        let report_json = serde_json::to_vec(report).map_err(std::io::Error::from)?;
        cx.out.raw(&report_json)?;
        return if finding::sound(&report.findings) { Ok(()) } else { Err(verdict::unsound(&what)) };
    }
    for (node, count) in &report.proven {
        cx.out.line(format!("node {node}: a checkpoint vouches for {count} lines"))?;
    }
    if let Some(source) = source {
        cx.out.note(format!("Checkpoints were judged by the public keys {source}."))?;
    }
    verdict::tell(&what, &report.findings, &mut cx.out)
}

async fn fetched(client: &Client) -> Result<Vec<Vec<u8>>, CliError> {
    let mut lines = client.lines(&["audit", "checkpoints"], &[]).await?;
    let mut all = Vec::new();
    while let Some(line) = lines.next().await? {
        all.push(line);
    }
    Ok(all)
}

/// Verifies while it downloads, so that a long log need not fit into memory.
async fn streamed(
    client: &Client,
    checkpoints: Option<Vec<Vec<u8>>>,
    public: PublicKeys,
) -> Result<AuditReport, CliError> {
    let (ahead, lines) = mpsc::sync_channel::<Vec<u8>>(AHEAD);
    let verifier = tokio::task::spawn_blocking(move || chain::verify(lines, checkpoints, &public));
    let mut pages = Pages::after(client, 0);
    while let Some(line) = pages.next().await? {
        // Nothing else runs on this thread; a verifier that is behind makes it wait.
        if ahead.send(line).is_err() {
            break;
        }
    }
    drop(ahead);
    verifier.await.map_err(|error| CliError::failed(format!("the verifier stopped: {error}")))
}

fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let whole = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if whole.is_empty() {
        Vec::new()
    } else {
        whole.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }
}
