//! What was on the screen of a recorded terminal.
//!
//! Owns the virtual terminal. Escape sequences are carried out, so what is found is what a person saw: a word that was
//! overwritten piece by piece is found whole, and the parts of an escape sequence are not found at all.

use avt::Terminal;
use avt::observer::{DirtyRows, Transcript};

/// How much is drawn before the screen is looked at: what scrolls by within it is seen as well, but what a program
/// draws over it in the same piece is not.
const PIECE: usize = 512;

/// A screen, and which of its lines have been looked at.
pub struct Screen {
    terminal: Terminal,
    dirty: DirtyRows,
    transcript: Transcript,
}

impl Screen {
    /// An empty one of this many columns and rows.
    #[must_use]
    pub fn new((cols, rows): (usize, usize)) -> Option<Self> {
        let terminal = Terminal::new(cols, rows).ok()?;
        Some(Self { terminal, dirty: DirtyRows::new(), transcript: Transcript::new() })
    }

    /// Draws this, and shows every line that is new on the screen, with its row: a line that is soft-wrapped is one.
    pub fn draw(&mut self, text: &str, mut show: impl FnMut(Option<usize>, &str)) {
        let mut rest = text;
        while !rest.is_empty() {
            let at = rest.char_indices().map(|(at, c)| at + c.len_utf8()).find(|at| *at >= PIECE);
            let (piece, behind) = rest.split_at(at.unwrap_or(rest.len()));
            rest = behind;
            let (rows, gone) = self.terminal.feed_with(piece, (&mut self.dirty, &mut self.transcript));
            for line in gone {
                show(None, line.trim_end());
            }
            self.show(&rows, &mut show);
        }
    }

    /// Gives it another size.
    pub fn resize(&mut self, (cols, rows): (usize, usize)) {
        let _ = self.terminal.resize_with(cols, rows, (&mut self.dirty, &mut self.transcript));
    }

    fn show(&self, rows: &[usize], show: &mut impl FnMut(Option<usize>, &str)) {
        let screen = self.terminal.screen();
        let wraps = |row: usize| screen.line(row).is_some_and(avt::Line::is_wrapped);
        let mut shown = None;
        for &row in rows {
            let mut first = row;
            while first > 0 && wraps(first - 1) {
                first -= 1;
            }
            if shown.replace(first) == Some(first) {
                continue;
            }
            let mut line = String::new();
            let mut next = first;
            while let Some(part) = screen.line(next) {
                line.extend(part.chars());
                next += 1;
                if !part.is_wrapped() {
                    break;
                }
            }
            show(Some(first), line.trim_end());
        }
    }
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").field("size", &self.terminal.size()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(size: (usize, usize), pieces: &[&str]) -> Vec<String> {
        let mut screen = Screen::new(size).unwrap();
        let mut seen = Vec::new();
        for piece in pieces {
            screen.draw(piece, |_, line| seen.push(line.to_owned()));
        }
        seen.retain(|line| !line.is_empty());
        seen
    }

    #[test]
    fn a_word_that_is_drawn_in_pieces_is_one() {
        let lines = seen((80, 24), &["\x1b[31mse\x1b[0m", "cr", "\x1b[1;5Het"]);
        assert_eq!(lines.last().unwrap(), "secret");
    }

    #[test]
    fn what_was_overwritten_was_seen_before() {
        let lines = seen((80, 24), &["secret", "\rpublic"]);
        assert_eq!(lines, ["secret", "public"]);
        assert_eq!(seen((80, 24), &["\x1b]0;secret\x07x"]), ["x"], "a title is not on the screen");
    }

    #[test]
    fn what_scrolls_by_at_once_is_seen() {
        let all: String = (0..100).map(|n| format!("line {n}\r\n")).collect();
        let lines = seen((80, 5), &[&all]);
        for n in 0..100 {
            assert!(lines.contains(&format!("line {n}")), "{n}");
        }
    }

    #[test]
    fn a_wrapped_line_is_one_and_the_other_screen_is_seen_too() {
        assert!(seen((10, 4), &["a long command line"]).contains(&"a long command line".to_owned()));
        let lines = seen((80, 4), &["shell\r\n", "\x1b[?1049h\x1b[Hin vim", "\x1b[?1049l"]);
        assert!(lines.contains(&"in vim".to_owned()), "{lines:?}");
    }
}
