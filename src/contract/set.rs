//! All contracts of a folder, in force together or not at all.
//!
//! Owns the set and its version. One wrong file refuses the whole set: half a policy is another policy.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::toml_doc::{self, Problems};

use super::files::Snapshot;
use super::model::{Contract, ContractHash, Pin};

/// Contracts by name.
#[derive(Debug, Clone, Default)]
pub struct ContractSet(BTreeMap<String, Arc<Contract>>);

impl ContractSet {
    /// Reads and checks every `*.toml` file of the folder; hidden files and folders below are left out.
    ///
    /// # Errors
    /// Every error in every file; the same name twice; a file that can't be read.
    pub fn load(folder: &Path) -> Result<Self, Problems> {
        match Snapshot::settled(folder) {
            Ok(snapshot) => Self::of(&snapshot),
            Err(unreadable) => Err(unreadable.problems()),
        }
    }

    /// Checks these files, and every contract of those that are folders, as one set.
    ///
    /// # Errors
    /// Every error in every file; the same name twice; a file that can't be read.
    pub fn of_paths(paths: &[PathBuf]) -> Result<Self, Problems> {
        let mut snapshot = Snapshot::default();
        let mut problems = Problems::default();
        for path in paths {
            match if path.is_dir() { Snapshot::settled(path) } else { Snapshot::of_file(path) } {
                Ok(read) => snapshot.extend(read),
                Err(unreadable) => problems.extend(unreadable.problems()),
            }
        }
        match Self::of(&snapshot) {
            Ok(set) if problems.is_empty() => Ok(set),
            Ok(_) => Err(problems),
            Err(more) => {
                problems.extend(more);
                Err(problems)
            }
        }
    }

    pub(super) fn of(snapshot: &Snapshot) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut contracts = Vec::new();
        for (path, text) in snapshot.iter() {
            let file = path.display().to_string();
            match Contract::parse(&file, text) {
                Ok(contract) => contracts.push((file, contract)),
                Err(errors) => problems.extend(errors),
            }
        }
        let set = Self::unique(contracts, &mut problems);
        if problems.is_empty() { Ok(set) } else { Err(problems) }
    }

    /// Puts checked contracts together; the same name twice is a problem, told at the second.
    pub(super) fn unique(contracts: Vec<(String, Contract)>, problems: &mut Problems) -> Self {
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        let mut set = BTreeMap::new();
        for (file, contract) in contracts {
            match files.entry(contract.name.clone()) {
                Entry::Vacant(free) => {
                    free.insert(file);
                    set.insert(contract.name.clone(), Arc::new(contract));
                }
                Entry::Occupied(taken) => {
                    problems.extend(name_taken(&file, contract.text(), taken.get()));
                }
            }
        }
        Self(set)
    }

    /// The contract of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<Contract>> {
        self.0.get(name)
    }

    /// The contract of this version, if it is the one in force; older ones are parsed again from the text that was
    /// kept with their requests ([`Contract::parse`]).
    #[must_use]
    pub fn pinned(&self, pin: &Pin) -> Option<&Arc<Contract>> {
        self.find(&pin.name).filter(|contract| *contract.hash() == pin.hash)
    }

    /// The contract whose text has this hash.
    #[must_use]
    pub fn by_hash(&self, hash: &ContractHash) -> Option<&Arc<Contract>> {
        self.0.values().find(|contract| contract.hash() == hash)
    }

    /// Each contract, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Contract>> {
        self.0.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The version of the set: one hash over the names and versions of its contracts, wherever their files lie.
    #[must_use]
    pub fn version(&self) -> ContractHash {
        let lines: String =
            self.iter().map(|contract| format!("{} {}\n", contract.name, contract.hash())).collect();
        ContractHash::of(&lines)
    }
}

/// Says at the name in `text` that it is taken.
fn name_taken(file: &str, text: &str, by: &str) -> Problems {
    let said = toml_doc::read(file, text, |root| {
        root.entries();
        root.table("contract", |section| {
            section.entries();
            let value = section.get("name")?;
            value.problem(format_args!("is taken by {by}: names are unique, choose another"));
            Some(())
        })
    });
    said.err().unwrap_or_default()
}

#[cfg(test)]
mod tests;
