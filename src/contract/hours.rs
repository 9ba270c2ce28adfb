//! The hours of a contract: windows of local time on certain days of the week.
//!
//! Owns turning "Mon-Fri 08:00 to 20:00 in Berlin" into instants, through changes of daylight saving time and over
//! midnight. It never reads a clock.
//!
//! A window belongs to the day on which it opens. Windows that touch are one. Where clocks are set back, a time
//! that is shown twice means its first showing; where they are set forward, a time that is skipped means the moment
//! of the skip. So a window never grows because of a change of clocks by more than the change itself, and every
//! window that a reader sees in the file is there.

use std::fmt;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan as _};

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days(u8);

const DAY_NAMES: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

impl Days {
    /// Reads `Mon-Fri`, `Sat,Sun`, `Mon-Thu, Sat`, `Fri-Mon` (over the weekend).
    ///
    /// # Errors
    /// The part that is no day, for a sentence such as "`Mo` is no day".
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut bits = 0_u8;
        for part in text.split(',') {
            let part = part.trim();
            match part.split_once('-') {
                None => bits |= bit(day(part)?),
                Some((from, to)) => {
                    let (mut at, last) = (day(from.trim())?, day(to.trim())?);
                    bits |= bit(at);
                    while at != last {
                        at = at.next();
                        bits |= bit(at);
                    }
                }
            }
        }
        Ok(Self(bits))
    }

    /// Whether a window opens on this day.
    #[must_use]
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & bit(day) != 0
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

fn day(text: &str) -> Result<Weekday, String> {
    DAY_NAMES
        .iter()
        .find_map(|(name, day)| name.eq_ignore_ascii_case(text).then_some(*day))
        .ok_or_else(|| text.to_owned())
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        let mut run: Option<(&str, &str)> = None;
        let mut flush = |f: &mut fmt::Formatter<'_>, run: (&str, &str)| {
            let comma = if first { "" } else { "," };
            first = false;
            if run.0 == run.1 {
                write!(f, "{comma}{}", run.0)
            } else {
                write!(f, "{comma}{}-{}", run.0, run.1)
            }
        };
        for (name, day) in DAY_NAMES {
            run = match (run, self.contains(day)) {
                (Some((from, _)), true) => Some((from, name)),
                (None, true) => Some((name, name)),
                (Some(done), false) => {
                    flush(f, done)?;
                    None
                }
                (None, false) => None,
            };
        }
        run.map_or(Ok(()), |run| flush(f, run))
    }
}

/// A time of day at which a window may open or close; `24:00` is the midnight that ends the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayTime {
    minutes: u16,
}

impl DayTime {
    /// `24:00`
    pub const MIDNIGHT_AFTER: Self = Self { minutes: 24 * 60 };

    /// Reads `08:00`, `8:00` or `24:00`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (hours, minutes) = text.split_once(':')?;
        let number = |part: &str, widths: std::ops::RangeInclusive<usize>| {
            let plain = widths.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| part.parse::<u16>().ok()).flatten()
        };
        let (hours, minutes) = (number(hours, 1..=2)?, number(minutes, 2..=2)?);
        let valid = minutes < 60 && (hours < 24 || (hours == 24 && minutes == 0));
        valid.then_some(Self { minutes: hours * 60 + minutes })
    }

    fn on(self, date: Date) -> Option<DateTime> {
        let date = if self.minutes == 24 * 60 { date.tomorrow().ok()? } else { date };
        let minutes = i8::try_from(self.minutes % 60).ok()?;
        let hours = i8::try_from(self.minutes / 60 % 24).ok()?;
        Some(date.to_datetime(Time::new(hours, minutes, 0, 0).ok()?))
    }
}

impl fmt::Display for DayTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

/// Windows of local time: `{ days, from, to, zone }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Hours {
    /// Days on which a window opens.
    pub days: Days,
    /// When it opens.
    pub from: DayTime,
    /// When it closes; at or before `from` means on the next day.
    pub to: DayTime,
    /// The IANA zone that both are in.
    pub zone: TimeZone,
}

/// What the hours say about one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// There is no close ahead: no hours at all, or all day on all days.
    Always,
    /// Open now, until this instant (which is itself closed).
    Until(Timestamp),
    /// Closed now; open again at this instant, if ever.
    Closed {
        /// When the next window opens.
        opens: Option<Timestamp>,
    },
}

impl Hours {
    /// Whether the hours are open at `now`, and until when or from when on.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Open {
        let today = self.zone.to_datetime(now).date();
        // Two days back: a window over midnight, behind a zone that skipped a whole day (Samoa, 2011). Nine ahead:
        // a full week of windows that touch, and the day after it.
        let mut current: Option<(Timestamp, Timestamp)> = None;
        for ahead in -2..=9_i64 {
            let Some((opens, closes)) =
                today.checked_add(ahead.days()).ok().and_then(|date| self.window(date))
            else {
                continue;
            };
            current = match current {
                Some((start, end)) if opens <= end => Some((start, end.max(closes))),
                Some((start, end)) if now < end => {
                    return if now < start { Open::Closed { opens: Some(start) } } else { Open::Until(end) };
                }
                _ => Some((opens, closes)),
            };
        }
        match current {
            Some((start, _)) if now < start => Open::Closed { opens: Some(start) },
            // Windows that have touched for a week go on touching: their days and times repeat weekly.
            Some((start, end)) if now < end && end.duration_since(start).as_hours() > 8 * 24 => Open::Always,
            Some((_, end)) if now < end => Open::Until(end),
            _ => Open::Closed { opens: None },
        }
    }

    /// The window that opens on this day, unless a change of clocks swallowed it.
    fn window(&self, date: Date) -> Option<(Timestamp, Timestamp)> {
        if !self.days.contains(date.weekday()) {
            return None;
        }
        let closing_day = if self.to <= self.from { date.tomorrow().ok()? } else { date };
        let opens = self.instant(self.from.on(date)?)?;
        let closes = self.instant(self.to.on(closing_day)?)?;
        (opens < closes).then_some((opens, closes))
    }

    /// The instant at which the zone's clocks first reach this local time.
    fn instant(&self, local: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            AmbiguousOffset::Gap { .. } => {
                let before_the_skip = ambiguous.earlier().ok()?;
                Some(self.zone.following(before_the_skip).next()?.timestamp())
            }
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
        }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = self.zone.iana_name().unwrap_or("UTC");
        write!(f, "{} {}-{} {zone}", self.days, self.from, self.to)
    }
}

#[cfg(test)]
mod tests;
