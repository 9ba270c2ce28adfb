//! What comes back, where the contract records it: columns, rows, and what is copied.
//!
//! A row that fits a buffer is one event. A longer one passes in pieces, and is recorded in pieces.

use super::expect::Expect;
use super::fault::Fault;
use super::names::{Kept, Shape};
use super::statements::Statements;
use super::values;
use crate::codec::{Cursor, row, value};
use curfew_adapter::{Column, Event, ParameterPolicy, Text};
use std::sync::Arc;

/// Where the rows at hand stand.
#[derive(Debug, Default)]
pub struct Rows {
    /// The columns of a Query's result.
    query: Option<Kept>,
    /// The statement whose columns were recorded, for the result at hand.
    announced: Option<u64>,
    /// A message that passes in pieces.
    long: Option<Long>,
}

/// A message that passes in pieces, and how far it was taken apart.
#[derive(Debug)]
enum Long {
    Row { n: u64, cut: Cut },
    Copy { n: u64 },
}

/// Takes a DataRow apart as it comes.
#[derive(Debug, Default)]
struct Cut {
    /// The number of values was read.
    counted: bool,
    /// The column at hand.
    column: u32,
    /// What is missing of its value.
    left: usize,
    /// The part of a length that is here.
    head: Vec<u8>,
}

impl Statements {
    /// What is answered now.
    pub(super) fn current(&mut self) -> (u64, Option<Arc<Shape>>) {
        match self.expected.front() {
            Some(Expect::Query(sent) | Expect::Function(sent)) => (sent.n, None),
            Some(Expect::Execute(sent, shape)) => (sent.n, shape.clone()),
            // Nobody asked: a hostile server, or the end of what was cut.
            _ => (self.last, None),
        }
    }

    /// A row that is here as a whole.
    pub(super) fn row(&mut self, body: &[u8]) -> Result<(), Fault> {
        let (n, shape) = self.current();
        self.announce(n, shape.as_deref())?;
        let Self { recorder, decoder, rows, .. } = self;
        let query = rows.query.as_ref().map_or(&[][..], Kept::bytes);
        let columns = row::columns(query).map(|column| (column.oid, column.binary));
        let malformed = |malformed: crate::codec::Malformed| Fault::Target(malformed.0);
        let record = |values: &[curfew_adapter::Parameter<'_>]| recorder.append(&Event::Row { n, values });
        match shape {
            Some(shape) => {
                let values = values::row(body, shape.formats()).map_err(malformed)?;
                decoder.with(values, ParameterPolicy::Full, record)?;
            }
            None => {
                let values = values::row(body, columns).map_err(malformed)?;
                decoder.with(values, ParameterPolicy::Full, record)?;
            }
        }
        Ok(())
    }

    /// The columns, once for each result.
    fn announce(&mut self, n: u64, shape: Option<&Shape>) -> Result<(), Fault> {
        if self.rows.announced == Some(n) {
            return Ok(());
        }
        self.rows.announced = Some(n);
        let query = self.rows.query.as_ref().map_or(&[][..], Kept::bytes);
        let told: Vec<_> = match shape {
            Some(shape) => shape.columns().map(|column| (column.name.to_vec(), column.oid)).collect(),
            None => row::columns(query).map(|column| (column.name.to_vec(), column.oid)).collect(),
        };
        let names: Vec<_> = told.iter().map(|(name, oid)| (String::from_utf8_lossy(name), *oid)).collect();
        let columns: Vec<_> =
            names.iter().map(|(name, oid)| Column { name, kind: value::name(*oid) }).collect();
        self.recorder.append(&Event::Columns { n, columns: &columns })?;
        Ok(())
    }

    /// A result is complete; a Query may have further ones.
    pub(super) fn rows_end(&mut self) {
        (self.rows.query, self.rows.announced) = (None, None);
    }

    /// A RowDescription that belongs to a Query's result.
    pub(super) fn query_columns(&mut self, body: &[u8]) {
        self.rows_end();
        self.rows.query = self.room.keep(body);
    }

    /// What a function returned that was called by its number: a value whose type nobody tells.
    pub(super) fn returned(&mut self, body: &[u8]) -> Result<(), Fault> {
        let n = self.current().0;
        let Ok(value) = Cursor::new(body).value() else { return Ok(()) };
        let Self { recorder, decoder, .. } = self;
        decoder.with(std::iter::once((0, false, value)), ParameterPolicy::Full, |values| {
            recorder.append(&Event::Row { n, values })
        })?;
        Ok(())
    }

    /// What was copied, as a whole message.
    pub(super) fn copied(&mut self, input: bool, body: &[u8]) -> Result<(), Fault> {
        let n = self.current().0;
        self.recorder.append(&Event::Copy { n, input, data: Text(body) })?;
        Ok(())
    }

    /// A message of the target begins that passes in pieces: a row, or what is copied.
    pub(super) fn long(&mut self, row: bool, beginning: &[u8]) -> Result<(), Fault> {
        let (n, shape) = self.current();
        if row {
            self.announce(n, shape.as_deref())?;
        }
        self.rows.long = Some(if row { Long::Row { n, cut: Cut::default() } } else { Long::Copy { n } });
        self.longer(beginning)
    }

    /// More of it.
    pub(super) fn longer(&mut self, piece: &[u8]) -> Result<(), Fault> {
        match &mut self.rows.long {
            Some(Long::Row { n, cut }) => {
                let n = *n;
                cut.take(piece, |column, data, more| {
                    self.recorder.append(&Event::Value { n, column, data: data.map(Text), more })
                })?;
            }
            Some(Long::Copy { n }) => {
                self.recorder.append(&Event::Copy { n: *n, input: false, data: Text(piece) })?;
            }
            None => {}
        }
        Ok(())
    }

    /// A message begins that is passed in pieces and not recorded.
    pub(super) fn long_over(&mut self) {
        self.rows.long = None;
    }
}

impl Cut {
    /// Takes a piece apart: for each value in it, its column, as much of it as is here, and whether there is more.
    fn take<E>(
        &mut self,
        mut piece: &[u8],
        mut found: impl FnMut(u32, Option<&[u8]>, bool) -> Result<(), E>,
    ) -> Result<(), E> {
        while !piece.is_empty() {
            if self.left > 0 {
                let (data, rest) = piece.split_at(self.left.min(piece.len()));
                (self.left, piece) = (self.left - data.len(), rest);
                found(self.column, Some(data), self.left > 0)?;
                self.column += u32::from(self.left == 0);
                continue;
            }
            let wanted = if self.counted { 4 } else { 2 };
            let (part, rest) = piece.split_at((wanted - self.head.len()).min(piece.len()));
            self.head.extend_from_slice(part);
            piece = rest;
            if self.head.len() < wanted {
                return Ok(());
            }
            if self.counted {
                match Cursor::new(&self.head).int32().map(usize::try_from) {
                    Ok(Ok(length @ 1..)) => self.left = length,
                    length => {
                        found(self.column, matches!(length, Ok(Ok(_))).then_some(&[]), false)?;
                        self.column += 1;
                    }
                }
            }
            self.counted = true;
            self.head.clear();
        }
        Ok(())
    }
}
