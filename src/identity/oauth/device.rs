//! The device grant: the device shows a code, the browser shows digits, and both must be typed at the other side.
//!
//! So a code that an attacker sends around is of no use to him: he never sees the digits.

use std::net::IpAddr;

use curfew_adapter::random_bytes;
use jiff::{SignedDuration, Timestamp};

use super::{Granted, TokenError};
use crate::identity::service::Identities;
use crate::identity::signin::{Method, Viewer};
use crate::identity::token::{Hashed, random_text, same_digits, six_digits};
use crate::store::{DeviceRow, DeviceState, StoreError};

/// How long a device waits, in seconds.
pub const DEVICE_SECONDS: u64 = 600;
/// How often it may ask, in seconds.
pub const POLL_SECONDS: u64 = 2;
/// Devices that wait at once: in all, and from one address.
const MOST: u64 = 1_000;
const MOST_HERE: u64 = 20;
/// How often the digits may be wrong.
const TRIES: u64 = 5;
/// Letters that are not mistaken for others or for digits, and make no words (RFC 8628, 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// What a device is told first.
#[derive(Debug)]
pub struct DeviceStart {
    /// The device's own secret.
    pub device_code: String,
    /// What it shows.
    pub user_code: String,
}

/// Why a browser can't go on with a device. `Display` is a sentence for the person.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is none that shows this code.
    #[error("no program waits with this code: it was mistyped, used already, or its time is over")]
    NoSuchCode,
    /// The store does not answer.
    #[error("{}", .0.sentence())]
    Store(#[from] StoreError),
}

impl Identities {
    /// A device asks to be signed in.
    ///
    /// # Errors
    /// Too many wait.
    pub async fn start_device(&self, client: IpAddr) -> Result<DeviceStart, TokenError> {
        let now = self.now();
        let (all, here) = self.store.devices_waiting(client, now).await?;
        if all >= MOST || here >= MOST_HERE {
            return Err(TokenError::told(
                "slow_down",
                "too many wait to be signed in: try again in a few minutes",
            ));
        }
        let start = DeviceStart { device_code: random_text(), user_code: user_code() };
        let lifetime = SignedDuration::from_secs(DEVICE_SECONDS.cast_signed());
        let row = DeviceRow {
            device: Hashed::of(&start.device_code),
            user_code: start.user_code.clone(),
            address: client,
            state: DeviceState::Asked,
            parent: None,
            digits: None,
            tries: 0,
            polled_at: now,
            ends_at: now.saturating_add(lifetime).unwrap_or(Timestamp::MAX),
        };
        let mut tx = self.store.begin().await?;
        tx.device_asked(&row).await?;
        tx.commit().await?;
        Ok(start)
    }

    /// Where the device is that shows this code, for the page that asks for consent.
    ///
    /// # Errors
    /// None shows it.
    pub async fn find_device(&self, typed: &str) -> Result<(String, IpAddr), DeviceError> {
        let row = self.waiting(typed).await?;
        if row.state == DeviceState::Asked {
            Ok((row.user_code, row.address))
        } else {
            Err(DeviceError::NoSuchCode)
        }
    }

    /// The person agrees: the digits to type into the device. Asked again by the same browser, they are the same.
    ///
    /// # Errors
    /// No device shows the code.
    pub async fn agree_to_device(&self, browser: &Viewer, typed: &str) -> Result<String, DeviceError> {
        let row = self.waiting(typed).await?;
        if row.state == DeviceState::Agreed && row.parent.as_ref() == Some(&browser.signin.id) {
            return row.digits.ok_or(DeviceError::NoSuchCode);
        }
        let digits = six_digits();
        let mut tx = self.store.begin().await?;
        if !tx.device_agreed(&row.user_code, &browser.signin.id, &digits, self.now()).await? {
            return Err(DeviceError::NoSuchCode);
        }
        tx.commit().await?;
        Ok(digits)
    }

    /// The person says no.
    ///
    /// # Errors
    /// No device shows the code.
    pub async fn deny_device(&self, typed: &str) -> Result<(), DeviceError> {
        let row = self.waiting(typed).await?;
        let mut tx = self.store.begin().await?;
        if !tx.device_denied(&row.user_code).await? {
            return Err(DeviceError::NoSuchCode);
        }
        tx.commit().await?;
        Ok(())
    }

    /// The device asks whether somebody agreed, with the digits once it has them.
    ///
    /// # Errors
    /// Not yet (`authorization_pending`, `slow_down`), the digits are due (`digits_required`) or wrong
    /// (`digits_wrong`, five times at most), or it came to nothing.
    pub async fn redeem_device(
        &self,
        device_code: &str,
        digits: Option<&str>,
        client: IpAddr,
    ) -> Result<Granted, TokenError> {
        let (device, now) = (Hashed::of(device_code), self.now());
        let mut tx = self.store.begin().await?;
        let row =
            tx.device(&device).await?.ok_or_else(|| TokenError::invalid("there is no such device code"))?;
        if row.ends_at <= now {
            return Err(TokenError::told("expired_token", "nobody agreed in time"));
        }
        match (row.state, row.parent, row.digits) {
            (DeviceState::Asked, ..) => {
                let early = now.duration_since(row.polled_at)
                    < SignedDuration::from_millis(POLL_SECONDS.cast_signed() * 900);
                tx.device_polled(&device, now).await?;
                tx.commit().await?;
                let code = if early { "slow_down" } else { "authorization_pending" };
                Err(TokenError::told(code, "nobody has agreed yet"))
            }
            (DeviceState::Agreed, Some(parent), Some(shown)) => {
                let Some(typed) = digits else {
                    return Err(TokenError::told(
                        "digits_required",
                        "type the six digits that the page shows",
                    ));
                };
                if !same_digits(&shown, typed) {
                    let last = row.tries + 1 >= TRIES;
                    tx.device_wrong(&device, row.tries, last).await?;
                    tx.commit().await?;
                    return Err(if last {
                        TokenError::told("access_denied", "the digits were wrong too often")
                    } else {
                        TokenError::told("digits_wrong", "those are not the digits that the page shows")
                    });
                }
                let standing = self.descend(&mut tx, &parent, Method::Device, Some(client)).await?;
                if !tx.device_done(&device).await? {
                    return Err(TokenError::invalid("the device code was used before"));
                }
                let granted = self.grant(&mut tx, &standing).await?;
                tx.commit().await?;
                Ok(granted)
            }
            (DeviceState::Done, ..) => Err(TokenError::invalid("the device code was used before")),
            _ => Err(TokenError::told(
                "access_denied",
                "it was refused on the page, or the digits were wrong too often",
            )),
        }
    }

    async fn waiting(&self, typed: &str) -> Result<DeviceRow, DeviceError> {
        let code = tidy(typed).ok_or(DeviceError::NoSuchCode)?;
        let row = self.store.device_by_user_code(&code).await?.ok_or(DeviceError::NoSuchCode)?;
        if row.ends_at <= self.now() { Err(DeviceError::NoSuchCode) } else { Ok(row) }
    }
}

/// Eight letters with a dash in the middle: 20^8 of them.
fn user_code() -> String {
    let number = u128::from_be_bytes(random_bytes());
    let mut code = String::with_capacity(9);
    let mut rest = number;
    for place in 0..8 {
        if place == 4 {
            code.push('-');
        }
        let letter = usize::try_from(rest % 20).ok().and_then(|index| LETTERS.get(index)).copied();
        code.push(char::from(letter.unwrap_or(b'B')));
        rest /= 20;
    }
    code
}

/// What was typed, as the store spells it: case, spaces and the dash don't matter (RFC 8628, 6.1).
fn tidy(typed: &str) -> Option<String> {
    if typed.len() > 64 {
        return None;
    }
    let letters: String =
        typed.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect();
    let whole = letters.len() == 8 && letters.bytes().all(|letter| LETTERS.contains(&letter));
    let (front, back) = whole.then(|| letters.split_at_checked(4)).flatten()?;
    Some(format!("{front}-{back}"))
}
