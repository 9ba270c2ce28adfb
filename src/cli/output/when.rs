//! Times for people: read from the command line, and shown from where they stand.
//!
//! Owns both forms. `now` and the zone are passed in. It decides nothing by them.

use jiff::civil::{DateTime, Time};
use jiff::{SignedDuration, Timestamp, Zoned, tz::TimeZone};

/// A length of time, rounded down: `20 s`, `42 min`, `3 h 5 min`, `2 d 4 h`.
pub fn span(length: SignedDuration) -> String {
    let seconds = length.unsigned_abs().as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let with = |big: u64, unit: &str, small: u64, smaller: &str| match small {
        0 => format!("{big} {unit}"),
        _ => format!("{big} {unit} {small} {smaller}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{minutes} min"),
        3_600..86_400 => with(hours, "h", minutes % 60, "min"),
        _ => with(days, "d", hours % 24, "h"),
    }
}

/// A moment, relative and absolute: `in 42 min (15:04 UTC)`, `3 h ago (Fri 20 Nov 12:00 CET)`.
pub fn relative(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let away = at.duration_since(now);
    let absolute = absolute(at, now, zone);
    match away.as_secs() {
        0 => format!("now ({absolute})"),
        seconds if seconds > 0 => format!("in {} ({absolute})", span(away)),
        _ => format!("{} ago ({absolute})", span(away)),
    }
}

/// A moment as the clock on the wall shows it; the day where it is another one, the year likewise.
pub fn absolute(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let form = if at.date() == now.date() {
        "%H:%M %Z"
    } else if at.year() == now.year() {
        "%a %-d %b %H:%M %Z"
    } else {
        "%a %-d %b %Y %H:%M %Z"
    };
    at.strftime(form).to_string()
}

/// Reads a moment: `14:00` (the next one), `2026-11-22T09:00` (in `zone`), or with an offset as in RFC 3339.
///
/// # Errors
/// A phrase that says what to write.
pub fn parse_at(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let text = text.trim();
    let wrong =
        || format!("must be a time such as 14:00, 2026-11-22T09:00 or 2026-11-22T09:00+01:00, not `{text}`");
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if text.contains('[') || text.starts_with('T') {
        return Err(wrong());
    }
    let local = |at: DateTime| at.to_zoned(zone.clone()).map_err(|_| wrong());
    if text.len() <= 8 && text.contains(':') {
        let time: Time = text.parse().map_err(|_| wrong())?;
        let today: Zoned = now.to_zoned(zone.clone());
        let next = local(today.date().to_datetime(time))?;
        if next.timestamp() > now {
            return Ok(next.timestamp());
        }
        let tomorrow = today.date().tomorrow().map_err(|_| wrong())?;
        return local(tomorrow.to_datetime(time)).map(|at| at.timestamp());
    }
    if !text.contains(':') {
        return Err(wrong());
    }
    local(text.parse().map_err(|_| wrong())?).map(|at| at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-21T14:22:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn shown(text: &str, zone: &TimeZone) -> String {
        relative(at(text), at(NOW), zone)
    }

    #[test]
    fn a_time_is_relative_and_absolute() {
        let utc = TimeZone::UTC;
        assert_eq!(shown("2026-11-21T15:04:59Z", &utc), "in 42 min (15:04 UTC)");
        assert_eq!(shown("2026-11-21T14:22:00.9Z", &utc), "now (14:22 UTC)");
        assert_eq!(shown("2026-11-21T14:21:40Z", &utc), "20 s ago (14:21 UTC)");
        assert_eq!(shown("2026-11-21T11:17:00Z", &utc), "3 h 5 min ago (11:17 UTC)");
        assert_eq!(shown("2026-11-24T14:22:00Z", &utc), "in 3 d (Tue 24 Nov 14:22 UTC)");
        assert_eq!(shown("2027-01-02T08:00:00Z", &berlin()), "in 41 d 17 h (Sat 2 Jan 2027 09:00 CET)");
    }

    #[test]
    fn a_clock_time_is_the_next_one() {
        let read = |text: &str| parse_at(text, at(NOW), &TimeZone::UTC).unwrap();
        assert_eq!(read("14:23"), at("2026-11-21T14:23:00Z"));
        assert_eq!(read("14:22"), at("2026-11-22T14:22:00Z"));
        assert_eq!(read("09:00"), at("2026-11-22T09:00:00Z"));
        assert_eq!(parse_at("09:00", at(NOW), &berlin()).unwrap(), at("2026-11-22T08:00:00Z"));
    }

    #[test]
    fn a_date_is_read_in_its_offset_or_else_in_the_zone() {
        let read = |text: &str| parse_at(text, at(NOW), &berlin()).unwrap();
        assert_eq!(read("2026-11-22T09:00+01:00"), at("2026-11-22T08:00:00Z"));
        assert_eq!(read("2026-11-22T09:00Z"), at("2026-11-22T09:00:00Z"));
        assert_eq!(read("2026-11-22T09:00"), at("2026-11-22T08:00:00Z"));
        assert_eq!(read("2026-11-22 09:00:30"), at("2026-11-22T08:00:30Z"));
        assert_eq!(read("2026-07-01T09:00"), at("2026-07-01T07:00:00Z"));
    }

    #[test]
    fn what_is_no_time_is_told_what_to_write() {
        for text in ["", "now", "25:00", "2026-11-22", "14", "2026-13-01T09:00", "T09:00", "tomorrow 09:00"] {
            let refusal = parse_at(text, at(NOW), &TimeZone::UTC).unwrap_err();
            assert!(refusal.contains("such as 14:00"), "{text}: {refusal}");
        }
    }
}
