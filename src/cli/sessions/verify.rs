//! `curfew sessions verify`: a sealed recording, checked on this machine.
//!
//! Owns where the bytes, the checkpoints and the keys come from: the gate, a file that was exported, or the gate's own
//! folder. The check itself is [`crate::record::Verification`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use curfew_adapter::SessionId;
use url::Url;

use crate::audit::{Checkpoint, Domain, PublicKeys, RecordingHead, finding};
use crate::cli::client::{Client, wire};
use crate::cli::context::{Common, Context};
use crate::cli::output::clean;
use crate::cli::{CliError, Exit, file, ids, keys, verdict};
use crate::record::{Folders, RecordingReport, Verification};

/// Arguments of `curfew sessions verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The session; or a file that `export --sealed` wrote; or the gate's folder of recordings, or one session's in it
    #[arg(value_name = "ID|FILE|DIR")]
    what: String,
    /// Public keys (PEM) that seals are judged by; left out, those that the gate tells
    #[arg(long, value_name = "PEM")]
    key: Option<PathBuf>,
    /// Signed checkpoints, which know how long the recordings were
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// A recording is not as it was written; or something can't be read or reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let judges = keys::find(args.key.as_deref(), &args.common, cx).await?;
    let signed = args.checkpoint.as_deref().map(file::read).transpose()?;
    let path = Path::new(&args.what);
    let reports = if path.is_dir() {
        let heads = heads(signed.as_deref().unwrap_or_default(), &judges.keys)?;
        in_folder(path, &heads, &judges.keys).await?
    } else if path.is_file() || args.what.contains('/') {
        let heads = heads(signed.as_deref().unwrap_or_default(), &judges.keys)?;
        let bytes = file::read(path)?;
        let mut verification = Verification::new(&judges.keys, None);
        verification.push(&bytes);
        // Whose recording it is tells only the recording itself, so the checkpoint is found in a second reading.
        let first = verification.finish(false, None);
        let known = first.session.as_ref().and_then(|session| heads.get(session));
        vec![match known {
            None => first,
            known => {
                let mut verification = Verification::new(&judges.keys, None);
                verification.push(&bytes);
                verification.finish(false, known)
            }
        }]
    } else {
        let client = cx.client(&args.common)?;
        let signed = match signed {
            Some(signed) => signed,
            None => told(&client).await?,
        };
        vec![downloaded(&client, &args.what, &heads(&signed, &judges.keys)?, &judges.keys).await?]
    };
    if !args.common.json {
        cx.out.note(format!("Seals were judged by the public keys {}.", judges.source))?;
    }
    tell(&reports, args.common.json, cx)
}

/// What the latest checkpoint says of each recording.
fn heads(lines: &[u8], keys: &PublicKeys) -> Result<BTreeMap<String, RecordingHead>, CliError> {
    let mut heads = BTreeMap::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let checkpoint: Checkpoint = keys.open(Domain::Checkpoint, line).map_err(|error| {
            CliError::failed(format!("a checkpoint can't be believed: {error}"))
                .hint("`curfew audit verify --checkpoint FILE` tells which")
        })?;
        heads.extend(checkpoint.recordings.into_iter().map(|head| (head.session.clone(), head)));
    }
    Ok(heads)
}

/// The gate's own checkpoints; none for somebody who may not read them.
async fn told(client: &Client) -> Result<Vec<u8>, CliError> {
    let mut all = Vec::new();
    let mut lines = match client.lines(&["audit", "checkpoints"], &[]).await {
        Ok(lines) => lines,
        Err(error) if error.exit() == Exit::Failed => return Ok(all),
        Err(error) => return Err(error),
    };
    while let Some(line) = lines.next().await? {
        all.extend_from_slice(&line);
        all.push(b'\n');
    }
    Ok(all)
}

async fn downloaded(
    client: &Client,
    id: &str,
    heads: &BTreeMap<String, RecordingHead>,
    keys: &PublicKeys,
) -> Result<RecordingReport, CliError> {
    let id = ids::complete(client, ids::SESSION, id).await?;
    // Asked before the download: a session that ends meanwhile has its seal in what comes.
    let session: wire::Session = client.get(&["sessions", &id], &[]).await?.read()?;
    let mut verification = Verification::new(keys, Some(&id));
    let path = ["sessions", id.as_str(), "recording"];
    let pushed = client.download(&path, |bytes| {
        verification.push(bytes);
        Ok(())
    });
    pushed.await?;
    Ok(verification.finish(session.live, heads.get(&id)))
}

async fn in_folder(
    path: &Path,
    heads: &BTreeMap<String, RecordingHead>,
    keys: &PublicKeys,
) -> Result<Vec<RecordingReport>, CliError> {
    let unread = |error: &dyn std::fmt::Display| {
        CliError::failed(format!("the recordings in {} can't be read: {error}", path.display()))
    };
    let path = path.canonicalize().map_err(|error| unread(&error))?;
    let only = path.file_name().and_then(|name| SessionId::parse(name.to_str()?));
    let root = if only.is_some() { path.parent().unwrap_or(&path) } else { &path };
    let url = Url::from_directory_path(root).map_err(|()| unread(&"its path can't be named"))?;
    let folders = Folders::open(url.as_str()).map_err(|error| unread(&error))?;
    let mut sessions = match only {
        Some(only) => vec![only],
        None => folders.sessions().await.map_err(|error| unread(&error))?,
    };
    sessions.sort();
    if sessions.is_empty() {
        return Err(CliError::failed(format!("there is no recording in {}", path.display())));
    }
    let mut reports = Vec::new();
    for session in &sessions {
        let known = heads.get(session.as_str());
        let report = folders.verify(session, false, known, keys).await.map_err(|error| unread(&error))?;
        reports.push(report);
    }
    Ok(reports)
}

fn tell(reports: &[RecordingReport], json: bool, cx: &mut Context) -> Result<(), CliError> {
    let what = |report: &RecordingReport| {
        let session = clean(report.session.as_deref().unwrap_or("an unknown session"));
        let reason = report
            .reason
            .as_deref()
            .map_or_else(String::new, |reason| format!(", sealed as {}", clean(reason)));
        format!("the recording of {session}: {} chunks, {} events{reason}", report.chunks, report.events)
    };
    let mut refusal = None;
    for report in reports {
        if json {
            let text = serde_json::to_vec(report).map_err(std::io::Error::from)?;
            cx.out.raw(&text)?;
            if !finding::sound(&report.findings) {
                refusal = Some(verdict::unsound(&what(report)));
            }
        } else if let Err(error) = verdict::tell(&what(report), &report.findings, &mut cx.out) {
            if error.exit() != Exit::Failed {
                return Err(error);
            }
            refusal = Some(error);
        }
    }
    refusal.map_or(Ok(()), Err)
}
