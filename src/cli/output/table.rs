//! Aligned tables for people.
//!
//! Owns widths and padding. Cells are cleaned here, so that no command can forget it.

use super::{Tone, clean, paint};

/// The most characters of one cell; the whole text is in `--json` and in the view of one thing.
const CELL_MAX: usize = 60;
const GAP: &str = "  ";

/// One cell: a text and how it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell in this tone.
    pub fn toned(text: impl AsRef<str>, tone: Tone) -> Self {
        let whole = clean(text.as_ref());
        let text = if whole.chars().count() > CELL_MAX {
            let mut cut: String = whole.chars().take(CELL_MAX - 1).collect();
            cut.push('…');
            cut
        } else {
            whole
        };
        Self { text, tone }
    }

    /// A state, in its tone.
    pub fn state(state: &str) -> Self {
        Self::toned(state, Tone::of_state(state))
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

/// A table: a head, and rows of as many cells.
#[derive(Clone, Debug)]
pub struct Table {
    head: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these columns.
    pub fn new(head: &[&str]) -> Self {
        let head = head.iter().map(|name| Cell::toned(name.to_uppercase(), Tone::Dim)).collect();
        Self { head, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, each as wide as it needs to be: the last cell of a row is not padded.
    pub fn render(&self, colour: bool) -> String {
        let mut widths = vec![0; self.head.len()];
        for row in self.lines() {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        let mut text = String::new();
        for row in self.lines() {
            let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
            for (at, (cell, width)) in row.iter().zip(&widths).enumerate().take(last + 1) {
                text.push_str(&paint(colour, cell.tone, &cell.text));
                if at < last {
                    text.extend(std::iter::repeat_n(' ', width - cell.width()));
                    text.push_str(GAP);
                }
            }
            text.push('\n');
        }
        text
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<Cell>> {
        std::iter::once(&self.head).chain(&self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["id", "state", "reason"]);
        table.row(["req_1".into(), Cell::state("approved"), "".into()]);
        table.row(["req_22".into(), Cell::state("pending"), "Ä long\x1b[31m\nstory".into()]);
        table
    }

    #[test]
    fn columns_stand_under_each_other_and_lines_end_with_their_text() {
        let expected = "\
ID      STATE     REASON
req_1   approved
req_22  pending   Ä long\\u{1b}[31m story
";
        assert_eq!(table().render(false), expected);
    }

    #[test]
    fn colour_does_not_move_a_column() {
        let coloured = table().render(true);
        assert!(coloured.contains("\x1b[32mapproved\x1b[0m\n"), "{coloured}");
        let mut bare = coloured;
        for code in ["\x1b[0m", "\x1b[2m", "\x1b[32m", "\x1b[33m"] {
            bare = bare.replace(code, "");
        }
        assert_eq!(bare, table().render(false));
    }

    #[test]
    fn a_long_cell_is_cut_and_says_so() {
        let mut table = Table::new(&["a"]);
        table.row([Cell::from("x".repeat(61))]);
        assert_eq!(table.render(false), format!("A\n{}…\n", "x".repeat(59)));
    }
}
