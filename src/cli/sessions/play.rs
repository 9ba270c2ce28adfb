//! `curfew sessions play`: a recording, played as it happened; and `curfew sessions watch`: a session, as it happens.
//!
//! Owns the time between two frames, and that the terminal is afterwards as it was before.

use std::time::Duration;

use jiff::Timestamp;

use super::player::{Frame, Player};
use crate::cli::client::Lines;
use crate::cli::context::{Common, Context};
use crate::cli::output::{Output, RESTORE, Tone};
use crate::cli::{CliError, ids};
use crate::record::told::Told;
use crate::toml_doc::parse_duration;

/// Wipes the screen and puts the cursor into its corner.
const WIPE: &[u8] = b"\x1b[2J\x1b[H";

/// Arguments of `curfew sessions play`.
#[derive(Debug, clap::Args)]
pub struct Play {
    /// The session; the first letters of its id are enough
    id: String,
    /// How many times as fast as it was
    #[arg(long, default_value_t = 1.0, value_name = "TIMES", value_parser = speed)]
    speed: f64,
    /// The longest wait for something to happen
    #[arg(long, default_value = "2s", value_name = "DURATION", value_parser = parse_duration)]
    idle: Duration,
    /// Only this channel of an SSH session
    #[arg(long, value_name = "N")]
    channel: Option<u32>,
    #[command(flatten)]
    common: Common,
}

/// Arguments of `curfew sessions watch`.
#[derive(Debug, clap::Args)]
pub struct Watch {
    /// The session; the first letters of its id are enough
    id: String,
    /// Only this channel of an SSH session
    #[arg(long, value_name = "N")]
    channel: Option<u32>,
    #[command(flatten)]
    common: Common,
}

fn speed(text: &str) -> Result<f64, String> {
    let wrong = || "must be a number such as 2 or 0.5".to_owned();
    text.parse().ok().filter(|speed: &f64| speed.is_finite() && *speed > 0.0).ok_or_else(wrong)
}

/// Plays a recording.
///
/// # Errors
/// Refused, or not reached.
pub async fn play(args: Play, cx: &mut Context) -> Result<(), CliError> {
    let client = cx.client(&args.common)?;
    let id = ids::complete(&client, ids::SESSION, &args.id).await?;
    let lines = client.lines(&["sessions", &id, "events"], &[]).await?;
    let pace = Pace { speed: args.speed, idle: args.idle, before: None };
    let stage = Stage::new(args.channel, args.common.json, Some(pace), &mut cx.out);
    stage.run(lines).await
}

/// Watches a session until it ends.
///
/// # Errors
/// Refused, or not reached.
pub async fn watch(args: Watch, cx: &mut Context) -> Result<(), CliError> {
    let client = cx.client(&args.common)?;
    let id = ids::complete(&client, ids::SESSION, &args.id).await?;
    let lines = client.lines(&["sessions", &id, "events"], &[("follow", "true")]).await?;
    Stage::new(args.channel, args.common.json, None, &mut cx.out).run(lines).await
}

/// How long to wait between two frames.
struct Pace {
    speed: f64,
    idle: Duration,
    before: Option<i64>,
}

impl Pace {
    /// The wait before what happened at this time.
    fn wait(&mut self, at: i64) -> Duration {
        let before = self.before.replace(at).unwrap_or(at);
        let passed = Duration::from_micros(u64::try_from(at.saturating_sub(before)).unwrap_or(0));
        passed.min(self.idle).div_f64(self.speed)
    }
}

/// Where it is shown.
struct Stage<'a> {
    player: Player,
    json: bool,
    pace: Option<Pace>,
    out: &'a mut Output,
    /// Something was drawn that has to be undone.
    drawn: bool,
}

impl<'a> Stage<'a> {
    fn new(channel: Option<u32>, json: bool, pace: Option<Pace>, out: &'a mut Output) -> Self {
        Self { player: Player::new(channel), json, pace, out, drawn: false }
    }

    async fn run(mut self, mut lines: Lines) -> Result<(), CliError> {
        let shown = tokio::select! {
            shown = self.show(&mut lines) => shown,
            _ = tokio::signal::ctrl_c() => Ok(()),
        };
        self.restore()?;
        shown?;
        for channel in self.player.missed() {
            let more =
                format!("Another terminal was open at the same time: add `--channel {channel}` to see it.");
            self.out.note(more)?;
        }
        Ok(())
    }

    async fn show(&mut self, lines: &mut Lines) -> Result<(), CliError> {
        while let Some(line) = lines.next().await? {
            if line.is_empty() {
                continue;
            }
            if self.json {
                self.out.raw(&line)?;
                continue;
            }
            let event = serde_json::from_slice(&line)
                .map(Told::read)
                .map_err(|error| CliError::failed(format!("the gate's answer is not understood: {error}")))?;
            let Some(frame) = self.player.frame(&event) else { continue };
            if let Some(pace) = &mut self.pace {
                let wait = pace.wait(event.at);
                if !wait.is_zero() {
                    tokio::time::sleep(wait).await;
                }
            }
            self.draw(frame, event.at)?;
        }
        Ok(())
    }

    fn draw(&mut self, frame: Frame, at: i64) -> Result<(), CliError> {
        match frame {
            Frame::Begin => {
                self.drawn = true;
                if self.out.is_terminal() { self.out.frame(WIPE) } else { Ok(()) }
            }
            Frame::Screen(text) => self.out.frame(text.as_bytes()),
            Frame::End => self.restore(),
            Frame::Lines(lines) => {
                let at = Timestamp::from_microsecond(at).unwrap_or_default();
                let time = at.to_zoned(self.out.zone().clone()).strftime("%H:%M:%S%.3f").to_string();
                let time = self.out.paint(Tone::Dim, &time);
                lines.iter().try_for_each(|line| self.out.line(format!("{time}  {line}")))
            }
        }
    }

    /// The terminal as it was.
    fn restore(&mut self) -> Result<(), CliError> {
        if !std::mem::take(&mut self.drawn) {
            return Ok(());
        }
        if self.out.is_terminal() { self.out.frame(RESTORE) } else { self.out.frame(b"\n") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_as_they_were_but_never_longer_than_wanted() {
        let mut pace = Pace { speed: 2.0, idle: Duration::from_secs(2), before: None };
        assert_eq!(pace.wait(1_000_000), Duration::ZERO);
        assert_eq!(pace.wait(1_500_000), Duration::from_millis(250));
        assert_eq!(pace.wait(61_500_000), Duration::from_secs(1));
        assert_eq!(pace.wait(61_000_000), Duration::ZERO, "a clock that was stepped back");
    }

    #[test]
    fn a_speed_is_a_positive_number() {
        assert_eq!(speed("0.5"), Ok(0.5));
        for wrong in ["0", "-1", "inf", "NaN", "fast"] {
            assert!(speed(wrong).is_err(), "{wrong}");
        }
    }
}
