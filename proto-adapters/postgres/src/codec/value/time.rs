//! Dates, times and intervals (date.c, timestamp.c), in the styles `ISO` and `postgres`, in UTC.

use crate::codec::Cursor;
use std::fmt::Write;

/// From 1970 to 2000, where Postgres counts from.
const EPOCH: i64 = 10_957;

const SECOND: u64 = 1_000_000;
const DAY: i64 = 86_400_000_000;

/// Appends a `date`.
pub fn date(value: &[u8], out: &mut String) -> Option<()> {
    let days = i32::from_be_bytes(*super::fixed(value)?);
    if infinite(days == i32::MAX, days == i32::MIN, out) {
        return Some(());
    }
    let before_christ = day(days.into(), out)?;
    era(before_christ, out);
    Some(())
}

/// Appends a `timestamp`, or, in UTC, a `timestamptz`.
pub fn timestamp(value: &[u8], zone: bool, out: &mut String) -> Option<()> {
    let micros = i64::from_be_bytes(*super::fixed(value)?);
    if infinite(micros == i64::MAX, micros == i64::MIN, out) {
        return Some(());
    }
    let before_christ = day(micros.div_euclid(DAY), out)?;
    out.push(' ');
    clock(micros.rem_euclid(DAY).unsigned_abs(), out)?;
    if zone {
        out.push_str("+00");
    }
    era(before_christ, out);
    Some(())
}

/// Appends a `time`.
pub fn time(value: &[u8], out: &mut String) -> Option<()> {
    of_day(i64::from_be_bytes(*super::fixed(value)?), out)
}

/// Appends a `timetz`.
pub fn time_tz(value: &[u8], out: &mut String) -> Option<()> {
    let (micros, west) = super::fixed::<12>(value)?.split_first_chunk::<8>()?;
    of_day(i64::from_be_bytes(*micros), out)?;
    // Postgres counts zones to the west, and writes them to the east.
    let west = i32::from_be_bytes(*super::fixed(west)?);
    let seconds = west.unsigned_abs();
    let sign = if west > 0 { '-' } else { '+' };
    write!(out, "{sign}{:02}", seconds / 3600).ok()?;
    if seconds % 3600 != 0 {
        write!(out, ":{:02}", seconds / 60 % 60).ok()?;
    }
    if seconds % 60 != 0 {
        write!(out, ":{:02}", seconds % 60).ok()?;
    }
    Some(())
}

/// Appends an `interval` (`EncodeInterval` in datetime.c).
pub fn interval(value: &[u8], out: &mut String) -> Option<()> {
    let (micros, rest) = super::fixed::<16>(value)?.split_first_chunk::<8>()?;
    let micros = i64::from_be_bytes(*micros);
    let mut rest = Cursor::new(rest);
    let (days, months) = (rest.int32().ok()?, rest.int32().ok()?);
    let ends = |micros_end, end| micros == micros_end && days == end && months == end;
    if infinite(ends(i64::MAX, i32::MAX), ends(i64::MIN, i32::MIN), out) {
        return Some(());
    }
    let from = out.len();
    let mut before = false;
    for (number, unit) in [(months / 12, "year"), (months % 12, "mon"), (days, "day")] {
        if number != 0 {
            let space = if out.len() > from { " " } else { "" };
            let plus = if before && number > 0 { "+" } else { "" };
            let many = if number == 1 { "" } else { "s" };
            write!(out, "{space}{plus}{number} {unit}{many}").ok()?;
            before = number < 0;
        }
    }
    if micros != 0 || out.len() == from {
        let space = if out.len() > from { " " } else { "" };
        let sign = match micros {
            ..0 => "-",
            _ if before => "+",
            _ => "",
        };
        out.push_str(space);
        out.push_str(sign);
        clock(micros.unsigned_abs(), out)?;
    }
    Some(())
}

fn infinite(plus: bool, minus: bool, out: &mut String) -> bool {
    if plus || minus {
        out.push_str(if plus { "infinity" } else { "-infinity" });
    }
    plus || minus
}

fn of_day(micros: i64, out: &mut String) -> Option<()> {
    // 24:00:00 is a time.
    if (0..=DAY).contains(&micros) { clock(micros.unsigned_abs(), out) } else { None }
}

/// Hours may be more than a day's.
fn clock(micros: u64, out: &mut String) -> Option<()> {
    let seconds = micros / SECOND;
    write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60).ok()?;
    let fraction = micros % SECOND;
    if fraction != 0 {
        write!(out, ".{fraction:06}").ok()?;
        out.truncate(out.trim_end_matches('0').len());
    }
    Some(())
}

/// The date that is so many days after 2000-01-01; says whether it is before Christ. The algorithm is that of Howard
/// Hinnant's "chrono-Compatible Low-Level Date Algorithms" (`civil_from_days`): eras of 400 years, years from March on.
fn day(days: i64, out: &mut String) -> Option<bool> {
    let days = days.checked_add(EPOCH)?.checked_add(719_468)?;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    // There is no year 0.
    let (shown, before_christ) = if year > 0 { (year, false) } else { (1 - year, true) };
    write!(out, "{shown:04}-{month:02}-{day:02}").ok()?;
    Some(before_christ)
}

fn era(before_christ: bool, out: &mut String) {
    if before_christ {
        out.push_str(" BC");
    }
}
