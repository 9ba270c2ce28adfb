//! The form that asks for access: its fields, what stands in them, and what is wrong with them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::words::{Length, lengths};
use crate::api::refused::sentence;
use crate::grant::{Ask, AskRefused, GrantRefused, GrantsError, Offer, Refused};

/// The form as it was sent, or as the address of the page fills it in.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    pub(super) target: String,
    #[serde(default)]
    pub(super) account: String,
    #[serde(default)]
    pub(super) contract: String,
    /// Seconds.
    #[serde(default)]
    pub(super) duration: String,
    /// As `<input type=datetime-local>` writes it; UTC.
    #[serde(default)]
    pub(super) starts_at: String,
    #[serde(default)]
    pub(super) reason: String,
    #[serde(default)]
    pub(super) ticket: String,
    /// The key of the form: sent twice, it asks once.
    #[serde(default)]
    pub(super) once: String,
    /// Where to go once it is asked.
    #[serde(default)]
    pub(super) next: String,
}

/// What is wrong, next to the field that it is about.
#[derive(Clone, Debug, Default)]
pub(super) struct Wrong {
    pub(super) contract: Option<String>,
    pub(super) duration: Option<String>,
    pub(super) starts_at: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) ticket: Option<String>,
    pub(super) other: Option<String>,
}

impl Fields {
    /// The ask that it is.
    pub(super) fn ask(&self) -> Result<Ask, Box<Wrong>> {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let duration = match some(&self.duration) {
            None => None,
            Some(text) => Some(Duration::from_secs(text.parse().map_err(|_| {
                Box::new(Wrong { duration: Some("Choose how long.".to_owned()), ..Wrong::default() })
            })?)),
        };
        let starts_at = match some(&self.starts_at) {
            None => None,
            Some(text) => Some(instant(&text).ok_or_else(|| {
                let why = "Write the day and the time as 2026-11-22T09:00.".to_owned();
                Box::new(Wrong { starts_at: Some(why), ..Wrong::default() })
            })?),
        };
        Ok(Ask {
            target: self.target.trim().to_owned(),
            account: some(&self.account),
            contract: some(&self.contract),
            duration,
            starts_at,
            reason: some(&self.reason),
            ticket: some(&self.ticket),
        })
    }

    /// The durations to choose from: those that any of the contracts gives.
    pub(super) fn lengths(&self, offers: &[Offer]) -> Vec<Length> {
        let most = offers.iter().map(|offer| offer.max_seconds).max().unwrap_or_default();
        let meant = offers.iter().find(|offer| offer.name == self.contract).or_else(|| offers.first());
        let usual = meant.map_or(most, |offer| offer.default_seconds);
        let chosen = self.duration.trim().parse().ok().filter(|seconds| *seconds <= most).unwrap_or(usual);
        lengths(most, chosen)
    }
}

impl Wrong {
    /// Where a refusal belongs.
    pub(super) fn of(error: &GrantsError) -> Self {
        let text = Some(sentence(error));
        let mut wrong = Self::default();
        let place = match error {
            GrantsError::SeveralContracts(_) => &mut wrong.contract,
            GrantsError::Ask(refused) => match refused {
                AskRefused::ReasonMissing { .. } | AskRefused::ReasonTooLong => &mut wrong.reason,
                AskRefused::Ticket { .. } | AskRefused::TicketTooLong => &mut wrong.ticket,
                AskRefused::TooLong { .. } | AskRefused::TooShort => &mut wrong.duration,
                AskRefused::TooFarAhead
                | AskRefused::Closed { .. }
                | AskRefused::Decision(Refused::Closed { .. })
                | AskRefused::Grant(GrantRefused::HoursClose { .. }) => &mut wrong.starts_at,
                _ => &mut wrong.other,
            },
            _ => &mut wrong.other,
        };
        *place = text;
        wrong
    }

    /// Whether there is anything.
    pub(super) fn any(&self) -> bool {
        [&self.contract, &self.duration, &self.starts_at, &self.reason, &self.ticket, &self.other]
            .into_iter()
            .any(Option::is_some)
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    let civil: DateTime = text.trim_end_matches('Z').parse().ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}
