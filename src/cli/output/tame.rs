//! What a recorded program sent to its terminal, made fit for another one.
//!
//! Owns the choice of what passes: what draws passes, what makes a terminal answer, remember, or act does not. A
//! recording is written by whoever was recorded, and played on the screen of whoever judges them: it must not type into
//! that shell (answers to queries), fill its clipboard (OSC 52), or leave it in a mode that the recording switched on.

/// Private modes (`CSI ? … h`) that only draw: cursor keys, origin, wrap, blinking and visible cursor, alternate screen.
const MODES: [&str; 11] = ["1", "3", "5", "6", "7", "12", "25", "47", "1047", "1048", "1049"];

/// The final bytes of control sequences that only draw or move the cursor (ECMA-48, xterm's ctlseqs).
const FINALS: &[u8] = b"@ABCDEFGHIJKLMPSTXZ`abdefgmrsu";

/// The longest control sequence that is waited for.
const LONGEST: usize = 256;

/// What brings a terminal back, whatever was played on it: alternate screen off, cursor shown, colours, margins,
/// character set and wrap as they were.
pub const RESTORE: &[u8] =
    b"\x1b[?1049l\x1b[?25h\x1b[?6l\x1b[?7h\x1b[?1l\x1b[4l\x1b[r\x1b(B\x0f\x1b[0m\x1b[999;1H\r\n";

/// Where in a sequence the bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    /// After ESC.
    Escape,
    /// After ESC and a byte that takes another one, as `(` does.
    Charset,
    /// In a control sequence, after `ESC [`.
    Control,
    /// In a string that ends with BEL or `ESC \`: OSC, DCS, APC, PM, SOS.
    String,
    /// After ESC in such a string.
    StringEscape,
}

/// Tames one stream.
#[derive(Debug, Default)]
pub struct Tame {
    state: State,
    held: String,
}

impl Tame {
    /// What of this may be shown. A sequence may begin in one piece and end in another.
    pub fn next(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            self.take(c, &mut out);
        }
        out
    }

    fn take(&mut self, c: char, out: &mut String) {
        match self.state {
            State::Ground => match c {
                '\x1b' => self.begin(State::Escape),
                // The control characters of eight bits: terminals differ on them, so none passes.
                '\u{80}'..='\u{9f}' => {}
                '\x07'..='\x0f' | ' '..='~' | '\u{a0}'.. => out.push(c),
                _ => {}
            },
            State::Escape => match c {
                '[' => self.state = State::Control,
                ']' | 'P' | 'X' | '^' | '_' => self.state = State::String,
                '(' | ')' | '*' | '+' | '#' | ' ' | '%' => {
                    self.held.push(c);
                    self.state = State::Charset;
                }
                // Save and restore the cursor, index, next line, tab stop, reverse index, keypad.
                '7' | '8' | 'D' | 'E' | 'H' | 'M' | '=' | '>' => {
                    out.push('\x1b');
                    out.push(c);
                    self.state = State::Ground;
                }
                '\x1b' => {}
                _ => self.state = State::Ground,
            },
            State::Charset => {
                if c.is_ascii_graphic() && self.held.starts_with(['(', ')']) {
                    out.push('\x1b');
                    out.push_str(&self.held);
                    out.push(c);
                }
                self.state = State::Ground;
            }
            State::Control => match c {
                '\x1b' => self.begin(State::Escape),
                ' '..='?' if self.held.len() < LONGEST => self.held.push(c),
                '@'..='~' => {
                    if self.draws(c) {
                        out.push_str("\x1b[");
                        out.push_str(&self.held);
                        out.push(c);
                    }
                    self.state = State::Ground;
                }
                // A control character within a sequence is carried out by itself.
                '\x07'..='\x0d' => out.push(c),
                _ => self.state = State::Ground,
            },
            State::String => match c {
                '\x07' => self.state = State::Ground,
                '\x1b' => self.state = State::StringEscape,
                _ => {}
            },
            State::StringEscape => match c {
                '\\' => self.state = State::Ground,
                '\x1b' => {}
                // The string was broken off by another sequence.
                _ => {
                    self.begin(State::Escape);
                    self.take(c, out);
                }
            },
        }
    }

    fn begin(&mut self, state: State) {
        self.state = state;
        self.held.clear();
    }

    fn draws(&self, last: char) -> bool {
        let held = self.held.as_str();
        let numbers = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b';' || b == b':');
        match held.strip_prefix('?') {
            Some(modes) if matches!(last, 'h' | 'l') => modes.split(';').all(|mode| MODES.contains(&mode)),
            Some(rest) => matches!(last, 'J' | 'K') && numbers(rest),
            // Insert mode, and nothing else that can be switched.
            None if matches!(last, 'h' | 'l') => held == "4",
            // The shape of the cursor.
            None if last == 'q' => held.strip_suffix(' ').is_some_and(numbers),
            None => numbers(held) && u8::try_from(last).is_ok_and(|last| FINALS.contains(&last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tamed(text: &str) -> String {
        Tame::default().next(text)
    }

    #[test]
    fn what_draws_passes() {
        for text in [
            "plain €\r\n\ttab\x08",
            "\x1b[1;31mred\x1b[0m\x1b[38:2:1:2:3m",
            "\x1b[2J\x1b[H\x1b[10;20H\x1b[K\x1b[3A\x1b[2;5r",
            "\x1b[?1049h\x1b[?25l\x1b[?1;25h",
            "\x1b7\x1b8\x1bM\x1b(0lqk\x1b(B\x1b=",
            "\x1b[4h\x1b[4l\x1b[2 q\x1b[5@\x1b[2P",
        ] {
            assert_eq!(tamed(text), text);
        }
    }

    #[test]
    fn what_makes_a_terminal_answer_or_act_does_not() {
        for text in [
            "\x1b[6n\x1b[5n\x1b[c\x1b[>c\x1b[=c\x1b[?6n", // reports that come as typed text
            "\x1b]52;c;cm0gLXJmIH4K\x07",                 // the clipboard
            "\x1b]0;title\x1b\\\x1b]2;title\x07",         // titles, which can be asked back
            "\x1b]8;;file:///etc\x1b\\",                  // links
            "\x1bP+q544e\x1b\\\x1b_G\x1b\\\x1b^x\x1b\\",  // strings for devices
            "\x1b[?1000h\x1b[?1006h\x1b[?2004h\x1b[?1;1000h", // mouse and paste reports
            "\x1b[21t\x1b[18t",                           // the window
            "\x1bc\x1b[!p\x1b[5i\x1bZ\x05",               // reset, printer, who are you
            "\u{9b}6n\u{9d}52;c;x\u{9c}",                 // the same in eight bits
        ] {
            let left: String = tamed(text).chars().filter(|c| c.is_control()).collect();
            assert_eq!(left, "", "{text:?}");
        }
    }

    #[test]
    fn a_string_that_does_not_end_hides_what_follows_but_not_the_next_sequence() {
        assert_eq!(tamed("\x1b]0;title\x1b[31mred"), "\x1b[31mred");
        assert_eq!(tamed("a\x1b[\x1b[31mb"), "a\x1b[31mb");
    }

    proptest! {
        #[test]
        fn any_pieces_are_the_same(text in "[\x1b\\[\\]?;0-9a-zA-Z()\x07\\\\€]{0,60}", at in 0..60_usize) {
            let cut = text.char_indices().nth(at).map_or(text.len(), |(at, _)| at);
            let mut tame = Tame::default();
            let pieces = tame.next(&text[..cut]) + &tame.next(&text[cut..]);
            prop_assert_eq!(pieces, tamed(&text));
        }
    }
}
