//! What the client's names stand for: prepared statements and portals.

use super::fault::Fault;
use crate::codec::frontend::oids;
use crate::codec::row;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Names of either kind that a session may have. The target would hold them too; drivers keep a few
/// hundred.
const NAMES: usize = 16 * 1024;

/// Bytes of parameters that wait for their Execute, in all portals.
const PARAMETERS: usize = 32 * 1024 * 1024;

/// Bytes of descriptions of parameters and columns that are remembered. Beyond, values whose types are not known are
/// recorded as bytes.
const DESCRIPTIONS: usize = 4 * 1024 * 1024;

/// How much of a name counts: the server tells statements and portals apart by as much (`NAMEDATALEN`, less its zero
/// byte). What differs behind it is one name there, and so it must be here.
const SIGNIFICANT: usize = 63;

/// Memory for bindings that is kept for the next one.
const SPARE: usize = 8 * 1024;

/// A name, as far as it counts.
pub fn significant(name: &[u8]) -> &[u8] {
    name.get(..SIGNIFICANT).unwrap_or(name)
}

/// Whether this SQL may make a statement's name stand for another one. Where it is hidden in a function, nobody can tell.
pub fn renames(text: &[u8]) -> bool {
    [&b"prepare"[..], b"deallocate", b"discard"].iter().any(|word| {
        let (first, length) = (word.first().copied().unwrap_or_default(), word.len());
        memchr::memchr2_iter(first, first.to_ascii_uppercase(), text)
            .any(|at| text.get(at..at + length).is_some_and(|found| found.eq_ignore_ascii_case(word)))
    })
}

/// How much is remembered of descriptions.
#[derive(Clone, Debug, Default)]
pub struct Room(Arc<AtomicUsize>);

impl Room {
    /// Remembers these bytes, if there is room for them.
    pub fn keep(&self, bytes: &[u8]) -> Option<Kept> {
        let taken = self.0.fetch_add(bytes.len(), Ordering::Relaxed);
        let kept = Kept { bytes: bytes.into(), room: self.clone() };
        (taken + bytes.len() <= DESCRIPTIONS).then_some(kept)
    }
}

/// Something that is remembered.
#[derive(Debug)]
pub struct Kept {
    bytes: Box<[u8]>,
    room: Room,
}

impl Kept {
    /// The bytes.
    pub const fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.room.0.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

/// A prepared statement. It is known by its number from the Parse on; the rest comes with the server's answers, which may
/// be there only when its name stands for another one already.
#[derive(Debug)]
pub struct Prepared {
    /// Its number in the recording.
    pub number: u64,
    /// Its text may make names stand for other statements.
    pub renames: bool,
    /// The OIDs of its parameters' types, as far as the client said.
    pub declared: Option<Kept>,
    /// The same, as the server said.
    pub described: OnceLock<Option<Kept>>,
    /// Its RowDescription; the formats in it mean nothing yet.
    pub columns: OnceLock<Option<Kept>>,
}

impl Prepared {
    /// One of which nothing but this is known yet.
    pub const fn new(number: u64, renames: bool, declared: Option<Kept>) -> Self {
        Self { number, renames, declared, described: OnceLock::new(), columns: OnceLock::new() }
    }

    /// The types of its parameters, as far as known.
    pub fn types(&self) -> impl Iterator<Item = u32> + Clone {
        let described = self.described.get().and_then(Option::as_ref);
        oids(described.or(self.declared.as_ref()).map_or(&[], Kept::bytes))
    }
}

/// What the rows of a portal are made of. Only where they are recorded.
#[derive(Debug, Default)]
pub struct Shape {
    /// The statement.
    pub prepared: Option<Arc<Prepared>>,
    /// The formats that the client asked for.
    pub formats: Box<[u8]>,
    /// Its RowDescription.
    pub columns: OnceLock<Option<Kept>>,
}

impl Shape {
    /// The columns, as far as known.
    pub fn columns(&self) -> impl Iterator<Item = row::Column<'_>> + Clone {
        let own = self.columns.get().and_then(Option::as_ref);
        let of_statement = || self.prepared.as_ref()?.columns.get()?.as_ref();
        row::columns(own.or_else(of_statement).map_or(&[], Kept::bytes))
    }

    /// The type of each column as far as known, and whether it is in the binary format; without an end.
    pub fn formats(&self) -> impl Iterator<Item = (u32, bool)> + Clone {
        let types = self.columns().map(|column| column.oid).chain(std::iter::repeat(0));
        let formats = &*self.formats;
        types.enumerate().map(move |(n, oid)| {
            let n = if formats.len() == 2 { 0 } else { n };
            (oid, formats.get(n * 2..n * 2 + 2).is_some_and(|format| format != [0, 0]))
        })
    }
}

/// What is bound to a portal.
#[derive(Debug)]
pub enum Bound {
    /// The values, as `Values::write` leaves them.
    Values(Vec<u8>),
    /// More than is held back for the recording: only the length of the message is known.
    Large(usize),
    /// Not known any more.
    Unknown,
}

impl Bound {
    const fn size(&self) -> usize {
        match self {
            Self::Values(bytes) => bytes.len(),
            Self::Large(_) | Self::Unknown => 0,
        }
    }
}

/// A portal.
#[derive(Debug)]
pub struct Portal {
    /// The statement that it runs, where the client prepared it by Parse.
    pub prepared: Option<Arc<Prepared>>,
    /// The statement's name, where it did not (SQL's PREPARE makes such).
    pub name: Box<[u8]>,
    /// Its parameters.
    pub bound: Bound,
    /// What its rows are made of.
    pub shape: Option<Arc<Shape>>,
    /// The number of the statement that was its first Execute.
    pub first: Option<u64>,
}

/// Names of prepared statements and portals; the empty name is the unnamed one.
#[derive(Debug, Default)]
pub struct Names {
    statements: HashMap<Box<[u8]>, Arc<Prepared>>,
    portals: HashMap<Box<[u8]>, Portal>,
    bound: usize,
    spare: Vec<u8>,
}

impl Names {
    /// The statement of this name.
    pub fn statement(&self, name: &[u8]) -> Option<&Arc<Prepared>> {
        self.statements.get(significant(name))
    }

    /// The portal of this name.
    pub fn portal(&self, name: &[u8]) -> Option<&Portal> {
        self.portals.get(significant(name))
    }

    /// Notes that the portal of this name is executed as this statement; answers with the one that was the first.
    pub fn executes(&mut self, name: &[u8], n: u64) -> Option<u64> {
        let portal = self.portals.get_mut(significant(name))?;
        let before = portal.first;
        portal.first = before.or(Some(n));
        before
    }

    /// Gives `name` to a statement, or takes it away; answers with what it stood for.
    pub fn set_statement(
        &mut self,
        name: &[u8],
        to: Option<Arc<Prepared>>,
    ) -> Result<Option<Arc<Prepared>>, Fault> {
        let name = significant(name);
        match to {
            None => Ok(self.statements.remove(name)),
            Some(_) if self.statements.len() >= NAMES => Err(Fault::TooMuch("prepared statements")),
            Some(to) => Ok(self.statements.insert(name.into(), to)),
        }
    }

    /// Gives `name` to a portal, or takes it away; answers with what it stood for. What was bound to
    /// that is not kept: a pipeline may hold thousands.
    pub fn set_portal(&mut self, name: &[u8], to: Option<Portal>) -> Result<Option<Portal>, Fault> {
        let name = significant(name);
        let before = match to {
            None => self.portals.remove(name),
            Some(_) if self.portals.len() >= NAMES => return Err(Fault::TooMuch("portals")),
            Some(to) => {
                self.bound += to.bound.size();
                self.portals.insert(name.into(), to)
            }
        };
        let before = before.map(|mut portal| {
            self.unbind(&mut portal);
            portal
        });
        if self.bound > PARAMETERS { Err(Fault::TooMuch("bound parameters")) } else { Ok(before) }
    }

    /// Memory to bind something with.
    pub fn spare(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.spare)
    }

    /// Gives back memory that was not needed in the end.
    pub fn give_back(&mut self, mut spare: Vec<u8>) {
        spare.clear();
        if (1..=SPARE).contains(&spare.capacity()) {
            self.spare = spare;
        }
    }

    fn unbind(&mut self, portal: &mut Portal) {
        self.bound = self.bound.saturating_sub(portal.bound.size());
        if let Bound::Values(bytes) = std::mem::replace(&mut portal.bound, Bound::Unknown) {
            self.give_back(bytes);
        }
    }

    /// No portal outlives its transaction.
    pub fn forget_portals(&mut self) {
        if self.portals.is_empty() {
            return;
        }
        let mut portals = std::mem::take(&mut self.portals);
        portals.values_mut().for_each(|portal| self.unbind(portal));
        portals.clear();
        if portals.capacity() <= 64 {
            self.portals = portals;
        }
    }

    /// The statements' names may stand for something else from now on: SQL can drop them and prepare
    /// others.
    pub fn forget_statements(&mut self) {
        self.statements.clear();
    }
}
