//! A terminal of a recording as asciicast, version 2 (https://docs.asciinema.org/manual/asciicast/v2/).
//!
//! Owns the lines. It reads events in their order and knows no file.

use std::collections::BTreeSet;

use serde_json::json;

use super::told::{Data, Terminal, Texts, Told, What};

/// Makes the lines for one channel: the one that is asked for, or the first one with a terminal.
#[derive(Debug, Default)]
pub struct Cast {
    wanted: Option<u32>,
    title: String,
    begun: Option<i64>,
    /// When the last line was, from the beginning: a clock that was stepped back must not turn time around.
    last: u64,
    output: Texts,
    input: Texts,
    over: bool,
    others: BTreeSet<u32>,
}

impl Cast {
    /// Of this channel; of the first one with a terminal where none is named.
    #[must_use]
    pub fn new(channel: Option<u32>) -> Self {
        Self { wanted: channel, ..Self::default() }
    }

    /// The line for an event, without its newline; the header for the one that opens the channel.
    pub fn line(&mut self, event: &Told) -> Option<String> {
        match &event.what {
            What::Session { identity, target, account, .. } => {
                self.title = format!("{} on {target} as {account}", identity.email);
                None
            }
            What::Channel { ch, terminal: Some(terminal), command, .. } => {
                if self.begun.is_some() || self.wanted.is_some_and(|wanted| wanted != *ch) {
                    self.others.insert(*ch);
                    return None;
                }
                self.wanted = Some(*ch);
                self.begun = Some(event.at);
                Some(self.header(event.at, terminal, command.as_deref()))
            }
            What::Output { ch, data, .. } if self.is_on(*ch) => {
                let text = self.output.next(data);
                self.event(event.at, "o", &text)
            }
            What::Input { ch, data } if self.is_on(*ch) => {
                let text = self.input.next(data);
                self.event(event.at, "i", &text)
            }
            What::Resize { ch, cols, rows } if self.is_on(*ch) => {
                self.event(event.at, "r", &format!("{cols}x{rows}"))
            }
            What::ChannelEnd { ch, .. } if self.is_on(*ch) => {
                self.over = true;
                None
            }
            _ => None,
        }
    }

    /// Whether the terminal was there.
    #[must_use]
    pub const fn found(&self) -> bool {
        self.begun.is_some()
    }

    /// The other channels that have a terminal.
    #[must_use]
    pub const fn others(&self) -> &BTreeSet<u32> {
        &self.others
    }

    fn is_on(&self, channel: u32) -> bool {
        self.begun.is_some() && self.wanted == Some(channel) && !self.over
    }

    fn header(&self, at: i64, terminal: &Terminal, command: Option<&str>) -> String {
        let (width, height) = terminal.size();
        let mut header = json!({
            "version": 2,
            "width": width,
            "height": height,
            "timestamp": at.div_euclid(1_000_000),
            "title": self.title,
            "env": { "TERM": terminal.term },
        });
        if let (Some(command), Some(members)) = (command, header.as_object_mut()) {
            members.insert("command".to_owned(), json!(command));
        }
        header.to_string()
    }

    fn event(&mut self, at: i64, code: &str, data: &str) -> Option<String> {
        let micros = u64::try_from(at.saturating_sub(self.begun?)).unwrap_or(0).max(self.last);
        self.last = micros;
        let data = (!data.is_empty()).then(|| json!(data))?;
        Some(format!("[{}.{:06}, \"{code}\", {data}]", micros / 1_000_000, micros % 1_000_000))
    }
}

/// What the bytes of an event are as text, for those who need no pieces.
#[must_use]
pub fn lossy(data: &Data) -> String {
    String::from_utf8_lossy(&data.bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn told(at: i64, event: Value) -> Told {
        let mut event = event;
        event["at"] = json!(at);
        Told::read(event)
    }

    fn channel(ch: u32) -> Value {
        let terminal = json!({ "term": "xterm", "cols": 80, "rows": 24 });
        json!({ "kind": "channel", "ch": ch, "purpose": "shell", "terminal": terminal })
    }

    fn events() -> Vec<Told> {
        let who = json!({ "email": "alice@example.com" });
        let session = json!({ "kind": "session", "identity": who, "protocol": "ssh", "target": "web-1", "account": "deploy" });
        vec![
            told(1_700_000_000_900_000, session),
            told(1_700_000_001_000_000, channel(1)),
            told(1_700_000_001_500_000, json!({ "kind": "output", "ch": 1, "data": "$ \u{1b}[1m" })),
            told(1_700_000_001_600_000, channel(2)),
            told(1_700_000_001_700_000, json!({ "kind": "output", "ch": 2, "data": "other" })),
            told(1_700_000_002_000_000, json!({ "kind": "input", "ch": 1, "data": "l" })),
            told(1_700_000_003_000_001, json!({ "kind": "resize", "ch": 1, "cols": 100, "rows": 30 })),
            told(
                1_700_000_004_000_000,
                json!({ "kind": "channel_end", "ch": 1, "input": 1, "output": 9, "errors": 0 }),
            ),
            told(1_700_000_005_000_000, json!({ "kind": "output", "ch": 1, "data": "late" })),
        ]
    }

    #[test]
    fn a_terminal_is_a_header_and_its_events() {
        let mut cast = Cast::new(None);
        let lines: Vec<String> = events().iter().filter_map(|event| cast.line(event)).collect();
        let header: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(
            header,
            json!({
                "version": 2, "width": 80, "height": 24, "timestamp": 1_700_000_001,
                "title": "alice@example.com on web-1 as deploy", "env": { "TERM": "xterm" },
            })
        );
        assert_eq!(
            lines[1..],
            [r#"[0.500000, "o", "$ \u001b[1m"]"#, r#"[1.000000, "i", "l"]"#, r#"[2.000001, "r", "100x30"]"#]
        );
        assert!(cast.found() && cast.others().iter().eq(&[2]));
    }

    #[test]
    fn another_channel_is_another_cast() {
        let mut cast = Cast::new(Some(2));
        let lines: Vec<String> = events().iter().filter_map(|event| cast.line(event)).collect();
        assert_eq!(lines[1..], [r#"[0.100000, "o", "other"]"#]);
        let mut cast = Cast::new(Some(3));
        assert!(events().iter().all(|event| cast.line(event).is_none()) && !cast.found());
    }
}
