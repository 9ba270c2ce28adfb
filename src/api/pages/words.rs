//! Times and durations as people say them.

use jiff::Timestamp;

/// An instant on a page.
#[derive(Clone, Debug)]
pub struct When {
    /// For `<time datetime>`.
    pub iso: String,
    /// `in 43 min`, `5 min ago`, `now`.
    pub relative: String,
    /// `15:04 UTC`, with the day where it is not today.
    pub absolute: String,
}

impl When {
    /// As seen at `now`.
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        let seconds = at.duration_since(now).as_secs();
        let relative = match seconds {
            0 => "now".to_owned(),
            1.. => format!("in {}", rough(seconds)),
            _ => format!("{} ago", rough(seconds.saturating_neg())),
        };
        let same_day = at.strftime("%F").to_string() == now.strftime("%F").to_string();
        let form = if same_day { "%H:%M UTC" } else { "%-d %b, %H:%M UTC" };
        Self { iso: at.strftime("%FT%TZ").to_string(), relative, absolute: at.strftime(form).to_string() }
    }
}

/// A duration to the second: `1 h 30 min`, `45 s`, `2 days`.
pub fn span(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds % 86_400 / 3_600);
    let (minutes, rest) = (seconds % 3_600 / 60, seconds % 60);
    let day = if days == 1 { "day" } else { "days" };
    let parts = [(days, day), (hours, "h"), (minutes, "min"), (rest, "s")];
    let said: Vec<_> = parts.iter().filter(|(n, _)| *n != 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    if said.is_empty() { "0 s".to_owned() } else { said.join(" ") }
}

/// A duration as far as it matters: seconds only below a minute, minutes only below a day.
fn rough(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    span(match seconds {
        ..60 => seconds,
        60..86_400 => seconds / 60 * 60,
        _ => seconds / 3_600 * 3_600,
    })
}

/// A duration to choose.
#[derive(Clone, Debug)]
pub struct Length {
    /// In seconds.
    pub seconds: u64,
    /// In words.
    pub label: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

/// The usual durations up to `most`, `most` itself and `chosen`, longest last.
pub fn lengths(most: u64, chosen: u64) -> Vec<Length> {
    const USUAL: [u64; 9] = [900, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400, 604_800];
    let mut all: Vec<u64> =
        USUAL.into_iter().filter(|seconds| *seconds < most).chain([most, chosen]).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter()
        .map(|seconds| Length { seconds, label: span(seconds), chosen: seconds == chosen })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_said_from_now() {
        let now: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        let said = |text: &str| {
            let when = When::new(text.parse().unwrap(), now);
            format!("{} ({})", when.relative, when.absolute)
        };
        assert_eq!(said("2026-03-02T09:43:59Z"), "in 43 min (09:43 UTC)");
        assert_eq!(said("2026-03-02T08:59:15Z"), "45 s ago (08:59 UTC)");
        assert_eq!(said("2026-03-02T10:30:00Z"), "in 1 h 30 min (10:30 UTC)");
        assert_eq!(said("2026-03-04T10:30:00Z"), "in 2 days 1 h (4 Mar, 10:30 UTC)");
        assert_eq!(said("2026-03-02T09:00:00Z"), "now (09:00 UTC)");
    }

    #[test]
    fn a_choice_of_durations_holds_the_longest_and_the_chosen_one() {
        let shown = |most, chosen| {
            let all = lengths(most, chosen);
            let text = |length: &Length| format!("{}{}", length.label, if length.chosen { "*" } else { "" });
            all.iter().map(text).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(shown(7_200, 3_600), "15 min, 30 min, 1 h*, 2 h");
        assert_eq!(shown(600, 600), "10 min*");
        assert_eq!(shown(5_400, 5_400), "15 min, 30 min, 1 h, 1 h 30 min*");
    }
}
