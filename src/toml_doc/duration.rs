//! Spans of time as people write them: `90s`, `15m`, `1h30m`, `400d`.

use std::time::Duration;

const UNITS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// Reads whole numbers with units, largest or smallest first, with or without spaces: `1h30m`, `2d 12h`. A day is 24
/// hours.
///
/// # Errors
/// A phrase that says what to write, to follow the value's name.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("must be a duration such as \"90s\", \"15m\", \"1h30m\" or \"7d\", not \"{text}\"");
    let mut total = 0u64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let tail = tail.trim_start();
        let letters = tail.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let millis =
            UNITS.iter().find(|(name, _)| *name == unit).map(|(_, millis)| *millis).ok_or_else(wrong)?;
        let more = number.checked_mul(millis).ok_or_else(wrong)?;
        total = total.checked_add(more).ok_or_else(wrong)?;
        rest = tail.trim_start();
    }
    Ok(Duration::from_millis(total))
}

/// The same form back, largest unit first: `1h30m`, `400d`, `0s`. Weeks are written in days; what is finer than a
/// millisecond is left out.
pub fn show_duration(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, millis) in UNITS.iter().rev().filter(|(unit, _)| *unit != "w") {
        let count = left / millis;
        left %= millis;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}
