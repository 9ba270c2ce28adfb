//! The device grant: the device shows a code, the browser shows digits, and both must be typed at the other side.
//!
//! So a code that an attacker sends around is of no use to him: he never sees the digits. A Postgres client (libpq 18)
//! can't ask for digits. For it the browser must be where the client is, as for the link that psql shows, and the token
//! that it gets signs in Postgres clients alone: whoever asks in such a client's name gets nothing else by it.

use std::net::IpAddr;

use curfew_adapter::{SigninId, random_bytes};
use jiff::{SignedDuration, Timestamp};

use super::{CLIENT_ID, Granted, TokenError};
use crate::identity::service::Identities;
use crate::identity::signin::{Method, Viewer};
use crate::identity::token::{Hashed, TokenKind, random_text, same_digits, six_digits};
use crate::store::{DeviceRow, DeviceState, StoreError, Tx};

/// How long a device waits, in seconds.
pub const DEVICE_SECONDS: u64 = 600;
/// How often it may ask, in seconds.
pub const POLL_SECONDS: u64 = 2;
/// Devices that wait at once: in all, and from one address.
const MOST: u64 = 1_000;
const MOST_HERE: u64 = 20;
/// How often the digits may be wrong.
const TRIES: u64 = 5;
/// The longest name of a client.
const NAME: usize = 64;
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
    /// The browser is at another address than the client, which can't ask for digits.
    #[error("this code was made for a program at {client}, and your browser is at {browser}")]
    WrongAddress {
        /// Where the client is.
        client: IpAddr,
        /// Where the browser is.
        browser: IpAddr,
    },
    /// The store does not answer.
    #[error("{}", .0.sentence())]
    Store(#[from] StoreError),
}

/// A device as the page that asks for consent sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceView {
    /// The code, as the device shows it.
    pub user_code: String,
    /// What the Postgres client calls itself, trusted in nothing; `None` for curfew.
    pub client: Option<String>,
    /// Where the device is.
    pub address: IpAddr,
}

/// Somebody agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agreed {
    /// These digits are still to be typed into the device.
    Digits(String),
    /// The Postgres client has what it waits for.
    Done,
}

impl Identities {
    /// A device asks to be signed in: curfew's command line, or a Postgres client of any other name.
    ///
    /// # Errors
    /// The name can't be one, or too many wait.
    pub async fn start_device(&self, client_id: &str, client: IpAddr) -> Result<DeviceStart, TokenError> {
        let name = postgres_client(client_id)?;
        let (client, now) = (client.to_canonical(), self.now());
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
            client: name.map(str::to_owned),
            address: client,
            state: DeviceState::Asked,
            parent: None,
            digits: None,
            elsewhere: None,
            tries: 0,
            // It may ask for the first time at once, as libpq does.
            polled_at: now
                .saturating_sub(SignedDuration::from_secs(POLL_SECONDS.cast_signed()))
                .unwrap_or(now),
            ends_at: now.saturating_add(lifetime).unwrap_or(Timestamp::MAX),
        };
        let mut tx = self.store.begin().await?;
        tx.device_asked(&row).await?;
        tx.commit().await?;
        Ok(start)
    }

    /// The device that shows this code, for the page that asks for consent in a browser at `browser`.
    ///
    /// # Errors
    /// None shows it, or the browser is where it can't sign this one in.
    pub async fn find_device(&self, typed: &str, browser: IpAddr) -> Result<DeviceView, DeviceError> {
        let row = self.waiting(typed).await?;
        self.near(&row, browser)?;
        if row.state == DeviceState::Asked {
            Ok(DeviceView { user_code: row.user_code, client: row.client, address: row.address })
        } else {
            Err(DeviceError::NoSuchCode)
        }
    }

    /// The person agrees: the digits to type into the device, where it can ask for them. Asked again by the same
    /// browser, the answer is the same.
    ///
    /// # Errors
    /// No device shows the code, or the browser is where it can't sign this one in.
    pub async fn agree_to_device(
        &self,
        viewer: &Viewer,
        typed: &str,
        browser: IpAddr,
    ) -> Result<Agreed, DeviceError> {
        let row = self.waiting(typed).await?;
        let elsewhere = self.near(&row, browser)?;
        let answer =
            |digits: String| if row.client.is_some() { Agreed::Done } else { Agreed::Digits(digits) };
        if row.state == DeviceState::Agreed && row.parent.as_ref() == Some(&viewer.signin.id) {
            return row.digits.map(answer).ok_or(DeviceError::NoSuchCode);
        }
        let digits = six_digits();
        let mut tx = self.store.begin().await?;
        if !tx.device_agreed(&row.user_code, &viewer.signin.id, &digits, elsewhere, self.now()).await? {
            return Err(DeviceError::NoSuchCode);
        }
        tx.commit().await?;
        Ok(answer(digits))
    }

    /// Where the browser is, if not at the address of a client that can't ask for digits; an error where it must be.
    fn near(&self, row: &DeviceRow, browser: IpAddr) -> Result<Option<IpAddr>, DeviceError> {
        let (client, browser) = (row.address.to_canonical(), browser.to_canonical());
        if row.client.is_none() {
            return Ok(None);
        }
        if !self.addresses.allow(client, browser) {
            return Err(DeviceError::WrongAddress { client, browser });
        }
        Ok((client != browser).then_some(browser))
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

    /// The device asks whether somebody agreed, with the digits once it has them; a Postgres client needs none.
    ///
    /// # Errors
    /// Not yet (`authorization_pending`, `slow_down`), the digits are due (`digits_required`) or wrong
    /// (`digits_wrong`, five times at most), or it came to nothing.
    pub async fn redeem_device(
        &self,
        device_code: &str,
        client_id: &str,
        digits: Option<&str>,
        client: IpAddr,
    ) -> Result<Granted, TokenError> {
        let (device, now) = (Hashed::of(device_code), self.now());
        let name = postgres_client(client_id)?;
        let mut tx = self.store.begin().await?;
        let row =
            tx.device(&device).await?.ok_or_else(|| TokenError::invalid("there is no such device code"))?;
        // Who asks for digits and who does not was settled when the code was made.
        if row.client.as_deref() != name {
            return Err(TokenError::invalid("the device code was given to another client"));
        }
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
            (DeviceState::Agreed, Some(parent), Some(_)) if row.client.is_some() => {
                self.redeemed(tx, &device, &parent, TokenKind::Postgres, row.elsewhere, client).await
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
                self.redeemed(tx, &device, &parent, TokenKind::Api, None, client).await
            }
            (DeviceState::Done, ..) => Err(TokenError::invalid("the device code was used before")),
            _ => Err(TokenError::told(
                "access_denied",
                "it was refused on the page, or the digits were wrong too often",
            )),
        }
    }

    /// Gives a device the token that it was agreed to, once.
    async fn redeemed(
        &self,
        mut tx: Tx,
        device: &Hashed,
        parent: &SigninId,
        kind: TokenKind,
        elsewhere: Option<IpAddr>,
        client: IpAddr,
    ) -> Result<Granted, TokenError> {
        let standing = self.descend(&mut tx, parent, Method::Device, Some(client)).await?;
        if !tx.device_done(device).await? {
            return Err(TokenError::invalid("the device code was used before"));
        }
        let granted = self.grant(&mut tx, &standing, kind, elsewhere).await?;
        tx.commit().await?;
        Ok(granted)
    }

    async fn waiting(&self, typed: &str) -> Result<DeviceRow, DeviceError> {
        let code = tidy(typed).ok_or(DeviceError::NoSuchCode)?;
        let row = self.store.device_by_user_code(&code).await?.ok_or(DeviceError::NoSuchCode)?;
        if row.ends_at <= self.now() { Err(DeviceError::NoSuchCode) } else { Ok(row) }
    }
}

/// The name of a Postgres client; `None` for curfew itself. A name is a word that its user chose: it is shown, and
/// nothing hangs on it.
fn postgres_client(client_id: &str) -> Result<Option<&str>, TokenError> {
    let fine = (1..=NAME).contains(&client_id.len()) && client_id.bytes().all(|byte| byte.is_ascii_graphic());
    match client_id {
        CLIENT_ID => Ok(None),
        name if fine => Ok(Some(name)),
        _ => Err(TokenError::told("invalid_client", "a client's name has 1 to 64 letters, digits and signs")),
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
