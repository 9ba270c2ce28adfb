//! The tables themselves: what a session does by how it ends, in Markdown.

use std::fmt::Write;

use super::ending::Ending;

/// One cell of a table.
pub trait Cell: Copy + PartialEq {
    /// Why there is no such thing.
    fn impossible(self) -> Option<&'static str>;

    /// The name of its target.
    fn name(self) -> String;
}

/// What came of a cell.
pub struct Verdict<C> {
    pub cell: C,
    /// What was not as it must be.
    pub wrong: Vec<String>,
    /// To be read by people.
    pub figures: String,
}

/// A table of these rows, each with its title and its cell of each ending.
pub fn table<C: Cell>(
    verdicts: &[Verdict<C>],
    rows: impl IntoIterator<Item = (&'static str, [C; Ending::ALL.len()])>,
) -> String {
    let mut table = format!("| | {} |\n", Ending::ALL.map(Ending::name).join(" | "));
    writeln!(table, "|---|{}", "---|".repeat(Ending::ALL.len())).unwrap();
    for (title, cells) in rows {
        let cells = cells.map(|cell| match verdicts.iter().find(|verdict| verdict.cell == cell) {
            _ if cell.impossible().is_some() => format!("n/a: {}", cell.impossible().unwrap_or_default()),
            Some(verdict) if verdict.wrong.is_empty() => "ok".to_owned(),
            Some(verdict) => verdict.wrong.join("; "),
            None => "not tried".to_owned(),
        });
        writeln!(table, "| {title} | {} |", cells.join(" | ")).unwrap();
    }
    table
}
