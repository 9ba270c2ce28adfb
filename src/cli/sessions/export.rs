//! `curfew sessions export`: the events of a session as JSON lines, its statements as a script, a terminal as asciicast, or
//! the sealed recording.

use std::io::IsTerminal;
use std::path::PathBuf;

use crate::cli::client::Client;
use crate::cli::context::{Common, Context};
use crate::cli::file::Draft;
use crate::cli::output::Output;
use crate::cli::{CliError, ids};
use crate::record::cast::Cast;
use crate::record::script::Script;
use crate::record::told::{Told, What};

/// Arguments of `curfew sessions export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The session; the first letters of its id are enough
    id: String,
    /// How: events as lines of JSON, statements as a script of SQL, or a terminal for asciinema
    #[arg(long, value_enum, default_value_t, conflicts_with = "sealed")]
    format: Format,
    /// Which terminal, where the session had several
    #[arg(long, value_name = "N", conflicts_with = "sealed")]
    channel: Option<u32>,
    /// The sealed recording itself (.curfew), which `curfew sessions verify` checks anywhere
    #[arg(long)]
    sealed: bool,
    /// Write into this file instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    #[default]
    Jsonl,
    Sql,
    Asciicast,
}

/// Runs it.
///
/// # Errors
/// Refused, not reached, or not written.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let client = cx.client(&args.common)?;
    let id = ids::complete(&client, ids::SESSION, &args.id).await?;
    if args.channel.is_some() && args.format != Format::Asciicast {
        return Err(CliError::usage("one channel alone is a terminal").hint("add `--format asciicast`"));
    }
    if args.sealed && args.output.is_none() && std::io::stdout().is_terminal() {
        return Err(CliError::usage("a sealed recording is not fit for a terminal")
            .hint(format!("add `--output {id}.curfew`")));
    }
    let part = if args.sealed { "recording" } else { "events" };
    let path = ["sessions", id.as_str(), part];
    let mut to = match &args.output {
        Some(file) => To::File(Draft::begin(file)?),
        None => To::Standard(&mut cx.out),
    };
    let others = match args.format {
        Format::Asciicast => cast(&client, &path, args.channel, &mut to).await?,
        Format::Sql => {
            script(&client, &path, &mut to).await?;
            Vec::new()
        }
        Format::Jsonl => {
            client.download(&path, |bytes| to.write(bytes)).await?;
            Vec::new()
        }
    };
    to.keep()?;
    if let Some(file) = &args.output {
        cx.out.note(format!("Written to {}.", file.display()))?;
    }
    for channel in others {
        let one = format!("The session had another terminal: `--channel {channel}` exports that.");
        cx.out.note(one)?;
    }
    Ok(())
}

/// The statements.
async fn script(client: &Client, path: &[&str], to: &mut To<'_>) -> Result<(), CliError> {
    let mut lines = client.lines(path, &[]).await?;
    let mut script = Script::default();
    let (mut other, mut any) = (false, false);
    while let Some(line) = lines.next().await? {
        let event = told(&line)?;
        any |= matches!(event.what, What::Statement { .. });
        other |= matches!(event.what, What::Channel { .. });
        to.write(script.of(&event).as_bytes())?;
    }
    if other && !any {
        return Err(CliError::failed("this session ran no SQL").hint("`--format jsonl` exports what it did"));
    }
    to.write(script.end().as_bytes())
}

fn told(line: &[u8]) -> Result<Told, CliError> {
    serde_json::from_slice(line)
        .map(Told::read)
        .map_err(|error| CliError::failed(format!("the gate's answer is not understood: {error}")))
}

/// One terminal; gives the channels of the others.
async fn cast(
    client: &Client,
    path: &[&str],
    channel: Option<u32>,
    to: &mut To<'_>,
) -> Result<Vec<u32>, CliError> {
    let mut lines = client.lines(path, &[]).await?;
    let mut cast = Cast::new(channel);
    while let Some(line) = lines.next().await? {
        let event = told(&line)?;
        if let Some(line) = cast.line(&event) {
            to.write(line.as_bytes())?;
            to.write(b"\n")?;
        }
    }
    if cast.found() {
        let named = channel.is_some();
        return Ok(cast.others().iter().copied().filter(|_| !named).collect());
    }
    let hint = match cast.others().iter().next() {
        Some(other) => format!("`--channel {other}` has one"),
        None => "`--format jsonl` exports what it did".to_owned(),
    };
    let which = channel.map_or_else(|| "this session".to_owned(), |channel| format!("channel {channel}"));
    Err(CliError::failed(format!("{which} had no terminal")).hint(hint))
}

/// Where it goes.
enum To<'a> {
    File(Draft<'a>),
    Standard(&'a mut Output),
}

impl To<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        match self {
            Self::File(draft) => draft.write(bytes),
            Self::Standard(out) => out.bytes(bytes),
        }
    }

    fn keep(self) -> Result<(), CliError> {
        match self {
            Self::File(draft) => draft.keep(),
            Self::Standard(_) => Ok(()),
        }
    }
}
