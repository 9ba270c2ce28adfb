//! Contracts as requests pinned them: the text of each version, by its hash.
//!
//! Owns that storage. A version is written once and never changed; it is kept as long as a request names it.

use jiff::Timestamp;

use super::error::StoreError;
use super::values::{Columns, micros};
use super::{Store, Tx};
use crate::contract::{Contract, ContractHash};

impl Store {
    /// The text of this version, if a request pins it.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn contract_text(&self, hash: &ContractHash) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT body FROM contract_versions WHERE hash = $1")
            .bind(hash.as_str())
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        row.map(|row| row.text("body")).transpose()
    }
}

impl Tx {
    /// Keeps the text of this contract, for the request that is about to pin it.
    ///
    /// # Errors
    /// It can't be written.
    pub async fn keep_contract(&mut self, contract: &Contract, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO contract_versions (hash, name, body, first_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (hash) DO NOTHING",
        )
        .bind(contract.hash().as_str())
        .bind(contract.name.as_str())
        .bind(contract.text())
        .bind(micros(now))
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
