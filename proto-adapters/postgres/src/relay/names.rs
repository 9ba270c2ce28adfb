//! What the client's names stand for: prepared statements and portals.

use super::fault::Fault;
use std::collections::HashMap;
use std::sync::Arc;

/// Names of either kind that a session may have. The target would hold them too; drivers keep a few
/// hundred.
const NAMES: usize = 16 * 1024;

/// Bytes of parameters that wait for their Execute, in all portals.
const PARAMETERS: usize = 32 * 1024 * 1024;

/// A prepared statement.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Its number in the recording.
    pub number: u64,
    /// The OIDs of its parameters' types, as far as known.
    pub types: Arc<[u32]>,
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
    pub prepared: Option<Prepared>,
    /// The statement's name, where it did not (SQL's PREPARE makes such).
    pub name: Box<[u8]>,
    /// Its parameters.
    pub bound: Bound,
}

/// Names of prepared statements and portals; the empty name is the unnamed one.
#[derive(Debug, Default)]
pub struct Names {
    statements: HashMap<Box<[u8]>, Prepared>,
    portals: HashMap<Box<[u8]>, Portal>,
    bound: usize,
}

impl Names {
    /// The statement of this name.
    pub fn statement(&self, name: &[u8]) -> Option<&Prepared> {
        self.statements.get(name)
    }

    /// The statement of this name, to be completed.
    pub fn statement_mut(&mut self, name: &[u8]) -> Option<&mut Prepared> {
        self.statements.get_mut(name)
    }

    /// The portal of this name.
    pub fn portal(&self, name: &[u8]) -> Option<&Portal> {
        self.portals.get(name)
    }

    /// Gives `name` to a statement, or takes it away; answers with what it stood for.
    pub fn set_statement(&mut self, name: &[u8], to: Option<Prepared>) -> Result<Option<Prepared>, Fault> {
        match to {
            None => Ok(self.statements.remove(name)),
            Some(_) if self.statements.len() >= NAMES => Err(Fault::TooMuch("prepared statements")),
            Some(to) => Ok(self.statements.insert(name.into(), to)),
        }
    }

    /// Gives `name` to a portal, or takes it away; answers with what it stood for. What was bound to
    /// that is not kept: a pipeline may hold thousands.
    pub fn set_portal(&mut self, name: &[u8], to: Option<Portal>) -> Result<Option<Portal>, Fault> {
        let before = match to {
            None => self.portals.remove(name),
            Some(_) if self.portals.len() >= NAMES => return Err(Fault::TooMuch("portals")),
            Some(to) => {
                self.bound += to.bound.size();
                self.portals.insert(name.into(), to)
            }
        };
        let before = before.map(|portal| {
            self.bound = self.bound.saturating_sub(portal.bound.size());
            Portal { bound: Bound::Unknown, ..portal }
        });
        if self.bound > PARAMETERS { Err(Fault::TooMuch("bound parameters")) } else { Ok(before) }
    }

    /// The statements' names may stand for something else from now on: SQL can drop them and prepare
    /// others.
    pub fn forget_statements(&mut self) {
        self.statements.clear();
    }
}
