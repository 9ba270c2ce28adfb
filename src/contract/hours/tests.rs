use super::*;
use jiff::civil::DateTime;
use proptest::prelude::*;

fn hours(days: &str, from: &str, to: &str, zone: &str) -> Hours {
    Hours {
        days: Days::parse(days).unwrap(),
        from: DayTime::parse(from).unwrap(),
        to: DayTime::parse(to).unwrap(),
        zone: TimeZone::get(zone).unwrap(),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn days_are_read_and_written_back() {
    for (text, shown) in [
        ("Mon-Fri", "Mon-Fri"),
        ("Sat,Sun", "Sat-Sun"),
        ("mon , wed-THU", "Mon,Wed-Thu"),
        ("Fri-Mon", "Mon,Fri-Sun"),
        ("Mon-Sun", "Mon-Sun"),
        ("Tue", "Tue"),
    ] {
        assert_eq!(Days::parse(text).unwrap().to_string(), shown, "{text}");
    }
    for (text, wrong) in [("", ""), ("Mo-Fri", "Mo"), ("Mon-", ""), ("Mon,", ""), ("Monday", "Monday")] {
        assert_eq!(Days::parse(text), Err(wrong.to_owned()), "{text}");
    }
}

#[test]
fn times_of_day_are_strict() {
    for (text, shown) in [("08:00", "08:00"), ("8:05", "08:05"), ("23:59", "23:59"), ("24:00", "24:00")] {
        assert_eq!(DayTime::parse(text).unwrap().to_string(), shown);
    }
    for text in ["", "8", "24:01", "25:00", "08:60", "+8:00", "08:0", "008:00", "08:00:00", "8 :00", "٠8:00"]
    {
        assert_eq!(DayTime::parse(text), None, "{text}");
    }
}

#[test]
fn office_hours_in_berlin_follow_summer_time() {
    let hours = hours("Mon-Fri", "08:00", "20:00", "Europe/Berlin");
    // A Friday in winter (UTC+1), the Monday behind it, a Friday in summer (UTC+2).
    assert_eq!(
        hours.at(at("2026-01-09T06:59:59Z")),
        Open::Closed { opens: Some(at("2026-01-09T07:00:00Z")) }
    );
    assert_eq!(hours.at(at("2026-01-09T07:00:00Z")), Open::Until(at("2026-01-09T19:00:00Z")));
    assert_eq!(
        hours.at(at("2026-01-09T19:00:00Z")),
        Open::Closed { opens: Some(at("2026-01-12T07:00:00Z")) }
    );
    assert_eq!(hours.at(at("2026-07-10T06:00:00Z")), Open::Until(at("2026-07-10T18:00:00Z")));
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_on_which_it_opens() {
    let hours = hours("Fri", "22:00", "06:00", "UTC");
    assert_eq!(hours.at(at("2026-01-10T05:59:59Z")), Open::Until(at("2026-01-10T06:00:00Z")));
    assert_eq!(
        hours.at(at("2026-01-10T06:00:00Z")),
        Open::Closed { opens: Some(at("2026-01-16T22:00:00Z")) }
    );
    // Saturday night is closed, though Saturday morning was open.
    assert!(matches!(hours.at(at("2026-01-10T23:00:00Z")), Open::Closed { .. }));
}

#[test]
fn windows_that_touch_are_one() {
    let week = hours("Mon-Fri", "00:00", "24:00", "UTC");
    assert_eq!(week.at(at("2026-01-06T12:00:00Z")), Open::Until(at("2026-01-10T00:00:00Z")));
    assert_eq!(week.at(at("2026-01-10T12:00:00Z")), Open::Closed { opens: Some(at("2026-01-12T00:00:00Z")) });
    let always = hours("Mon-Sun", "00:00", "24:00", "Europe/Berlin");
    for moment in ["2026-01-06T12:00:00Z", "2026-03-29T01:00:00Z", "2026-10-25T00:30:00Z"] {
        assert_eq!(always.at(at(moment)), Open::Always, "{moment}");
    }
}

#[test]
fn a_time_that_summer_time_skips_is_the_moment_of_the_skip() {
    // Berlin, 2026-03-29: 02:00 becomes 03:00, at 01:00 UTC.
    let skip = at("2026-03-29T01:00:00Z");
    assert_eq!(
        hours("Sun", "02:30", "05:00", "Europe/Berlin").at(skip),
        Open::Until(at("2026-03-29T03:00:00Z"))
    );
    let closing = hours("Sun", "01:00", "02:30", "Europe/Berlin");
    assert_eq!(closing.at(at("2026-03-29T00:30:00Z")), Open::Until(skip));
    assert!(matches!(closing.at(skip), Open::Closed { .. }), "not open for the skipped half hour");
    // A window that lies in the skip is not there on that day; a week later it is.
    let inside = hours("Sun", "02:10", "02:50", "Europe/Berlin");
    assert_eq!(
        inside.at(at("2026-03-29T00:00:00Z")),
        Open::Closed { opens: Some(at("2026-04-05T00:10:00Z")) }
    );
}

#[test]
fn a_time_that_comes_twice_means_the_first() {
    // Berlin, 2026-10-25: 03:00 becomes 02:00, at 01:00 UTC; 02:30 is at 00:30 and again at 01:30 UTC.
    let closing = hours("Sun", "01:00", "02:30", "Europe/Berlin");
    assert_eq!(closing.at(at("2026-10-25T00:00:00Z")), Open::Until(at("2026-10-25T00:30:00Z")));
    assert!(matches!(closing.at(at("2026-10-25T01:15:00Z")), Open::Closed { .. }));
    let opening = hours("Sun", "02:30", "04:00", "Europe/Berlin");
    assert_eq!(opening.at(at("2026-10-25T00:30:00Z")), Open::Until(at("2026-10-25T03:00:00Z")));
}

#[test]
fn a_day_that_a_zone_skipped_has_no_window() {
    // Samoa went from 2011-12-29 to 2011-12-31.
    let hours = hours("Fri", "08:00", "20:00", "Pacific/Apia");
    assert_eq!(
        hours.at(at("2011-12-30T12:00:00Z")),
        Open::Closed { opens: Some(at("2012-01-05T18:00:00Z")) }
    );
}

const ZONES: &[&str] = &["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"];

fn any_hours() -> impl Strategy<Value = Hours> {
    (1_u8..128, 0_u16..1440, 1_u16..=1440, proptest::sample::select(ZONES))
        .prop_filter("from and to differ", |(_, from, to, _)| from != to)
        .prop_map(|(days, from, to, zone)| Hours {
            days: Days(days),
            from: DayTime { minutes: from },
            to: DayTime { minutes: to },
            zone: TimeZone::get(zone).unwrap(),
        })
}

/// The rule read off the wall: on an ordinary day (no change of clocks near), an instant is open where the local
/// weekday and time lie in a window.
fn open_on_the_wall(hours: &Hours, local: DateTime) -> bool {
    let minutes = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap();
    let (from, to) = (hours.from.minutes, hours.to.minutes);
    let (today, yesterday) = (local.date().weekday(), local.date().yesterday().unwrap().weekday());
    if to > from {
        hours.days.contains(today) && (from..to).contains(&minutes)
    } else {
        (hours.days.contains(today) && minutes >= from) || (hours.days.contains(yesterday) && minutes < to)
    }
}

proptest! {
    #[test]
    fn open_is_what_the_wall_clock_says_away_from_changes_of_clocks(
        hours in any_hours(),
        // February 2026: none of these zones changes its clocks within three days.
        seconds in 0_i64..20 * 86_400,
    ) {
        let now = at("2026-02-05T00:00:00Z").checked_add(seconds.seconds()).unwrap();
        let local = hours.zone.to_datetime(now);
        let open = !matches!(hours.at(now), Open::Closed { .. });
        prop_assert_eq!(open, open_on_the_wall(&hours, local), "{} at {}", hours, local);
    }

    #[test]
    fn the_answer_holds_until_the_instant_that_it_names_and_turns_there(
        hours in any_hours(),
        seconds in 0_i64..365 * 86_400,
        part in 0.0_f64..1.0,
    ) {
        let now = at("2026-01-01T00:00:00Z").checked_add(seconds.seconds()).unwrap();
        let turn = match hours.at(now) {
            Open::Until(closes) => closes,
            Open::Closed { opens: Some(opens) } => opens,
            Open::Closed { opens: None } => return Err(TestCaseError::fail("windows come every week")),
            Open::Always => return Ok(()),
        };
        prop_assert!(turn > now);
        let open = |instant| !matches!(hours.at(instant), Open::Closed { .. });
        let span = turn.duration_since(now).as_secs_f64();
        let between = now.checked_add(jiff::SignedDuration::from_secs_f64(span * part)).unwrap();
        if between < turn {
            prop_assert_eq!(open(between), open(now), "{} at {}", hours, between);
        }
        prop_assert_ne!(open(turn), open(now), "{} at {}", hours, turn);
    }
}
