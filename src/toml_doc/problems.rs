//! What is wrong with a file, and where.

use std::{cell::RefCell, collections::HashSet, fmt};

/// A place in the text being read: a byte offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(pub(super) usize);

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file's name, as the reader was given it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// Everything that is wrong, in the order of the file. Displays as one line each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of another file behind these.
    pub fn extend(&mut self, others: Problems) {
        self.0.extend(others.0);
    }

    /// A problem of the file as a whole: not there, not to be opened, not UTF-8.
    pub fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self(vec![Problem { file: file.to_owned(), line: 1, column: 1, message: message.into() }])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|problem| writeln!(f, "{problem}"))
    }
}

impl std::error::Error for Problems {}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// The text being read, and what was found wrong with it so far.
pub(super) struct Source<'d> {
    file: &'d str,
    text: &'d str,
    found: RefCell<Found>,
}

#[derive(Default)]
struct Found {
    problems: Vec<Problem>,
    /// Lines on which the syntax is broken: what the values there seem to be says nothing.
    broken: HashSet<usize>,
}

impl<'d> Source<'d> {
    pub(super) fn new(file: &'d str, text: &'d str) -> Self {
        Self { file, text, found: RefCell::default() }
    }

    pub(super) fn note(&self, at: Mark, message: String) {
        let problem = self.problem(at, message);
        let mut found = self.found.borrow_mut();
        if !found.broken.contains(&problem.line) {
            found.problems.push(problem);
        }
    }

    /// A missing key. After a slip in the syntax it may well be there, unread.
    pub(super) fn note_missing(&self, at: Mark, message: String) {
        if self.found.borrow().broken.is_empty() {
            self.note(at, message);
        }
    }

    pub(super) fn note_syntax(&self, at: Mark, message: &str) {
        let problem = self.problem(at, message.to_owned());
        let mut found = self.found.borrow_mut();
        // One slip often draws a train of complaints on its line; the first is the one that helps.
        if found.broken.insert(problem.line) {
            found.problems.push(problem);
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.found.borrow().problems.is_empty()
    }

    pub(super) fn into_problems(self) -> Problems {
        let mut problems = self.found.into_inner().problems;
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems.dedup();
        Problems(problems)
    }

    fn problem(&self, at: Mark, message: String) -> Problem {
        let before = self.text.get(..at.0.min(self.text.len())).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(start..).unwrap_or_default().chars().count() + 1;
        Problem { file: self.file.to_owned(), line, column, message }
    }
}
