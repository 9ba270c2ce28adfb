//! What of a recording is on the screen of whoever plays it.
//!
//! Owns the choice between the two ways to show a session: the terminal of one channel, as it was; or, where there is
//! none, a line for each event. It neither waits nor prints.

use std::collections::BTreeSet;

use crate::cli::output::{Tame, clean};
use crate::record::lines::Lines;
use crate::record::told::{Texts, Told, What};

/// Something to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// For a terminal, as it is.
    Screen(String),
    /// A terminal begins; what was there before is wiped.
    Begin,
    /// A terminal ends; what it left behind is to be undone.
    End,
    /// Lines.
    Lines(Vec<String>),
}

/// Plays one recording.
#[derive(Debug, Default)]
pub struct Player {
    wanted: Option<u32>,
    shown: Option<Shown>,
    lines: Lines,
    missed: BTreeSet<u32>,
}

#[derive(Debug)]
struct Shown {
    channel: u32,
    texts: Texts,
    tame: Tame,
}

impl Player {
    /// Of this channel; of all that happens where none is named.
    pub fn new(channel: Option<u32>) -> Self {
        Self { wanted: channel, ..Self::default() }
    }

    /// What to show for an event.
    pub fn frame(&mut self, event: &Told) -> Option<Frame> {
        let channel = channel(&event.what);
        if let What::Channel { ch, terminal: Some(_), .. } = event.what {
            if self.shown.is_none() && self.wanted.is_none_or(|wanted| wanted == ch) {
                self.shown = Some(Shown { channel: ch, texts: Texts::default(), tame: Tame::default() });
                return Some(Frame::Begin);
            }
            self.missed.insert(ch);
        }
        if let Some(shown) = &mut self.shown {
            if channel != Some(shown.channel) {
                return None;
            }
            return match &event.what {
                What::Output { data, .. } => {
                    let text = shown.tame.next(&shown.texts.next(data));
                    (!text.is_empty()).then_some(Frame::Screen(text))
                }
                What::ChannelEnd { .. } => {
                    self.shown = None;
                    Some(Frame::End)
                }
                _ => None,
            };
        }
        let other = channel.is_some_and(|channel| {
            self.wanted.is_some_and(|wanted| wanted != channel) || self.missed.contains(&channel)
        });
        if other || (self.wanted.is_some() && channel.is_none()) {
            return None;
        }
        let lines: Vec<_> = self.lines.of(&event.what).iter().map(|line| clean(line)).collect();
        (!lines.is_empty()).then_some(Frame::Lines(lines))
    }

    /// Terminals that were open while another one was shown.
    pub const fn missed(&self) -> &BTreeSet<u32> {
        &self.missed
    }
}

/// The channel that an event belongs to.
const fn channel(what: &What) -> Option<u32> {
    match what {
        What::Channel { ch, .. }
        | What::Output { ch, .. }
        | What::Input { ch, .. }
        | What::Resize { ch, .. }
        | What::Environment { ch, .. }
        | What::Signal { ch, .. }
        | What::File { ch, .. }
        | What::ChannelEnd { ch, .. } => Some(*ch),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn frames(channel: Option<u32>, events: &[Value]) -> Vec<Frame> {
        let mut player = Player::new(channel);
        events.iter().filter_map(|event| player.frame(&Told::read(event.clone()))).collect()
    }

    fn terminal(ch: u32) -> Value {
        let terminal = json!({ "term": "xterm", "cols": 80, "rows": 24 });
        json!({ "at": 1, "kind": "channel", "ch": ch, "purpose": "shell", "terminal": terminal })
    }

    fn output(ch: u32, data: &str) -> Value {
        json!({ "at": 2, "kind": "output", "ch": ch, "data": data })
    }

    fn end(ch: u32) -> Value {
        json!({ "at": 3, "kind": "channel_end", "ch": ch, "status": 0, "input": 1, "output": 2, "errors": 0 })
    }

    #[test]
    fn a_terminal_has_the_screen_for_itself() {
        let events = [
            terminal(1),
            output(1, "$ \x1b[6n"),
            terminal(2),
            output(2, "other"),
            json!({ "at": 2, "kind": "file", "ch": 3, "op": "get", "path": "/f" }),
            end(1),
            output(2, "more"),
            json!({ "at": 4, "kind": "goodbye", "message": "over" }),
        ];
        let shown = [
            Frame::Begin,
            Frame::Screen("$ ".to_owned()),
            Frame::End,
            Frame::Lines(vec!["told: over".to_owned()]),
        ];
        assert_eq!(frames(None, &events), shown);
        let other = [Frame::Begin, Frame::Screen("other".to_owned()), Frame::Screen("more".to_owned())];
        assert_eq!(frames(Some(2), &events), other);
        let mut player = Player::new(None);
        events.iter().for_each(|event| drop(player.frame(&Told::read(event.clone()))));
        assert!(player.missed().iter().eq(&[2]));
    }

    #[test]
    fn what_has_no_terminal_is_lines_that_cannot_steer_one() {
        let events = [
            json!({ "at": 1, "kind": "channel", "ch": 1, "purpose": "exec", "command": "cat \x1b]52;c;x\x07" }),
            output(1, "a\nb"),
            end(1),
        ];
        let lines: Vec<_> = frames(None, &events)
            .into_iter()
            .flat_map(|frame| match frame {
                Frame::Lines(lines) => lines,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(lines[0], "[1] exec: cat \\u{1b}]52;c;x\\u{7}");
        assert_eq!(lines[1..3], ["[1]  a", "[1]  b"]);
        assert_eq!(frames(Some(2), &events), []);
    }
}
