//! Device authorizations.

use std::net::IpAddr;

use curfew_adapter::SigninId;
use jiff::Timestamp;
use sqlx::any::AnyRow;

use super::super::error::StoreError;
use super::super::values::{Columns, count, micros};
use super::super::{Store, Tx};
use crate::identity::Hashed;

/// How far a device has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceState {
    /// It shows its code, and waits.
    Asked,
    /// Somebody agreed and sees the digits.
    Agreed,
    /// Somebody said no, or the digits were wrong too often.
    Denied,
    /// It has its token.
    Done,
}

impl DeviceState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Agreed => "agreed",
            Self::Denied => "denied",
            Self::Done => "done",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Asked, Self::Agreed, Self::Denied, Self::Done].into_iter().find(|state| state.as_str() == word)
    }
}

/// A device that wants to be signed in.
#[derive(Clone, Debug)]
pub struct DeviceRow {
    /// The device code, hashed.
    pub device: Hashed,
    /// What the person types into the browser.
    pub user_code: String,
    /// What the Postgres client calls itself that waits; `None` where it is curfew itself, which asks for digits.
    pub client: Option<String>,
    /// Where the device is.
    pub address: IpAddr,
    /// How far it has come.
    pub state: DeviceState,
    /// Who agreed.
    pub parent: Option<SigninId>,
    /// What the person types into the device.
    pub digits: Option<String>,
    /// Where the browser was that agreed, if not at the device's address.
    pub elsewhere: Option<IpAddr>,
    /// How often the digits were wrong.
    pub tries: u64,
    /// When it asked last.
    pub polled_at: Timestamp,
    /// Until when it may be agreed to and fetched.
    pub ends_at: Timestamp,
}

const SELECT: &str = "SELECT device, user_code, client, address, state, parent, digits, elsewhere, tries, polled_at, ends_at FROM devices";

impl Store {
    /// The device that shows this code.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn device_by_user_code(&self, code: &str) -> Result<Option<DeviceRow>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("{SELECT} WHERE user_code = $1"));
        let row = sqlx::query(sql).bind(code).fetch_optional(&mut *self.reader().await?).await?;
        row.as_ref().map(device).transpose()
    }

    /// How many devices wait: in all, and from one address.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn devices_waiting(&self, from: IpAddr, now: Timestamp) -> Result<(u64, u64), StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS total, COUNT(CASE WHEN address = $1 THEN 1 END) AS here FROM devices \
             WHERE ends_at > $2 AND state IN ('asked', 'agreed')",
        )
        .bind(from.to_string())
        .bind(micros(now))
        .fetch_one(&mut *self.reader().await?)
        .await?;
        Ok((row.count("total")?, row.count("here")?))
    }
}

impl Tx {
    /// Writes a device that asks.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn device_asked(&mut self, row: &DeviceRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO devices (device, user_code, client, address, state, tries, polled_at, ends_at) \
             VALUES ($1, $2, $3, $4, 'asked', 0, $5, $6)",
        )
        .bind(row.device.as_str())
        .bind(row.user_code.as_str())
        .bind(row.client.as_deref())
        .bind(row.address.to_string())
        .bind(micros(row.polled_at))
        .bind(micros(row.ends_at))
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// The device with this device code.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn device(&mut self, device_code: &Hashed) -> Result<Option<DeviceRow>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("{SELECT} WHERE device = $1"));
        let row = sqlx::query(sql).bind(device_code.as_str()).fetch_optional(self.connection()).await?;
        row.as_ref().map(device).transpose()
    }

    /// Somebody agrees to a device that asks; `false` where it no longer does.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn device_agreed(
        &mut self,
        user_code: &str,
        parent: &SigninId,
        digits: &str,
        elsewhere: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE devices SET state = 'agreed', parent = $1, digits = $2, elsewhere = $3 \
             WHERE user_code = $4 AND state = 'asked' AND ends_at > $5",
        )
        .bind(parent.as_str())
        .bind(digits)
        .bind(elsewhere.map(|address| address.to_string()))
        .bind(user_code)
        .bind(micros(now))
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Somebody says no to a device that asks; `false` where it no longer does.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn device_denied(&mut self, user_code: &str) -> Result<bool, StoreError> {
        let done =
            sqlx::query("UPDATE devices SET state = 'denied' WHERE user_code = $1 AND state = 'asked'")
                .bind(user_code)
                .execute(self.connection())
                .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The device asked again.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn device_polled(&mut self, device_code: &Hashed, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE devices SET polled_at = $1 WHERE device = $2")
            .bind(micros(now))
            .bind(device_code.as_str())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// It sent wrong digits, after `tries` wrong ones; the last try that it has ends it.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn device_wrong(
        &mut self,
        device_code: &Hashed,
        tries: u64,
        last: bool,
    ) -> Result<(), StoreError> {
        let sql = if last {
            "UPDATE devices SET tries = tries + 1, state = 'denied', parent = NULL, digits = NULL \
             WHERE device = $1 AND tries = $2 AND state = 'agreed'"
        } else {
            "UPDATE devices SET tries = tries + 1 WHERE device = $1 AND tries = $2 AND state = 'agreed'"
        };
        sqlx::query(sql).bind(device_code.as_str()).bind(count(tries)).execute(self.connection()).await?;
        Ok(())
    }

    /// It gets its token; `false` where it has one already.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn device_done(&mut self, device_code: &Hashed) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE devices SET state = 'done' WHERE device = $1 AND state = 'agreed'")
            .bind(device_code.as_str())
            .execute(self.connection())
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

fn device(row: &AnyRow) -> Result<DeviceRow, StoreError> {
    Ok(DeviceRow {
        device: row.parsed("device", Hashed::parse)?,
        user_code: row.text("user_code")?,
        client: row.maybe_text("client")?,
        address: row.parsed("address", |text| text.parse().ok())?,
        state: row.parsed("state", DeviceState::parse)?,
        parent: row.maybe_parsed("parent", SigninId::parse)?,
        digits: row.maybe_text("digits")?,
        elsewhere: row.maybe_parsed("elsewhere", |text| text.parse().ok())?,
        tries: row.count("tries")?,
        polled_at: row.instant("polled_at")?,
        ends_at: row.instant("ends_at")?,
    })
}
