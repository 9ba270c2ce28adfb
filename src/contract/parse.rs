//! From a contract's file to a [`Contract`], or to every error in it.
//!
//! Owns the keys of the language: what they may say, what they mean when left out. It never guesses: a key that it
//! does not know, or does not know yet, refuses the file.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use curfew_adapter::{ParameterPolicy, Protocol, ResultPolicy};
use jiff::tz::TimeZone;
use regex::Regex;

use crate::toml_doc::{self, Problems, Section, Value};

use super::hours::{DayTime, Days, Hours};
use super::model::{
    AskRules, Contract, ContractHash, End, Extend, ExtendApproval, Named, Record, Stage, Targets, TicketRule,
    What, When, Who,
};
use super::person::fold_email;

/// The shortest access or idle time; what people can still follow with their eyes.
const SHORTEST: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest that a contract can give: standing access under another name is not what contracts are for.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// What a request gets that names no duration, under a contract that names none either.
const DEFAULT_DURATION: Duration = HOUR;
/// How long a request stays open under a contract that does not say.
const DEFAULT_EXPIRES: Duration = DAY;
/// The longest name: it stands in tables, URLs and metrics.
const NAME_MAX: usize = 63;
/// More approvers than anybody waits for.
const COUNT_MAX: u64 = 20;
/// More patterns than a recording can be searched for in passing.
const MASK_MAX: usize = 64;

impl Contract {
    /// Reads the text of the file called `file`; also the text that was kept with a request that pins it.
    ///
    /// # Errors
    /// Every error, with its line and column and what to write instead.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        toml_doc::read(file, text, |root| contract(root, text))
    }
}

fn contract(root: &Section<'_>, text: &str) -> Option<Contract> {
    let head = root.table("contract", |section| {
        let name = section.require("name", "\"orders-debug\"").and_then(|value| name(&value));
        let description = section.optional_string("description").unwrap_or_default();
        Some((name?, description))
    });
    let who = root.table("who", who);
    let what = root.table("what", what);
    let when = root.table("when", when);
    let ask = root.optional_table("ask", ask).unwrap_or(AskRules {
        reason_required: false,
        ticket: None,
        expires: DEFAULT_EXPIRES,
    });
    let approve = approve(root);
    let end = root.optional_table("end", end).unwrap_or_default();
    let record = root.optional_table("record", record).unwrap_or_default();
    not_yet(root, &["ramp"]);
    if let Some(what) = &what {
        for_adapters_with_words(root, what, &record);
    }
    let (name, description) = head?;
    Some(Contract {
        name,
        description,
        who: who?,
        what: what?,
        when: when?,
        ask,
        approve,
        end,
        record,
        text: Arc::from(text),
        hash: ContractHash::of(text),
    })
}

/// `input` means nothing where the adapter has no words of its own, so the contract must say that it is for one that
/// has.
fn for_adapters_with_words(root: &Section<'_>, what: &What, record: &Record) {
    let has = what.targets.protocol.is_some_and(|protocol| crate::adapters::words(protocol).is_some());
    if has || !record.input {
        return;
    }
    let known: Vec<_> =
        crate::adapters::WORDS.iter().map(|words| format!("`protocol = \"{}\"`", words.protocol)).collect();
    root.problem(format!(
        "`input` in [record] is known for some protocols only: write {} into `targets`, or take it out",
        known.join(" or ")
    ));
}

/// Keys of the language that this version does not have.
fn not_yet(section: &Section<'_>, keys: &[&str]) {
    for key in keys {
        section.not_yet(key, "take it out, for a contract is never applied by half");
    }
}

/// Lower-case letters, digits, `-` and `_`, beginning with a letter or a digit.
fn name(value: &Value<'_>) -> Option<String> {
    let text = value.string()?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if starts && text.len() <= NAME_MAX && text.bytes().all(plain) {
        return Some(text);
    }
    value.problem(format_args!(
        "must be up to {NAME_MAX} lower-case letters, digits, - and _, such as \"orders-debug\", not \"{text}\""
    ));
    None
}

fn who(section: &Section<'_>) -> Option<Who> {
    let groups = names(section, "groups");
    let users = emails(section, "users");
    let except = section.optional_table("except", named).unwrap_or_default();
    not_yet(section, &["services", "sponsor"]);
    if !section.has("groups") && !section.has("users") {
        section
            .problem("[who] names nobody: write `groups = [\"sre\"]` or `users = [\"alice@example.com\"]`");
    }
    Some(Who { groups, users, except })
}

fn named(section: &Section<'_>) -> Option<Named> {
    let named = Named { groups: names(section, "groups"), users: emails(section, "users") };
    if !section.has("groups") && !section.has("users") {
        section.problem(
            "this names nobody: write `{ groups = [\"sre-leads\"] }` or `{ users = [\"bob@example.com\"] }`",
        );
    }
    Some(named)
}

fn names(section: &Section<'_>, key: &str) -> BTreeSet<String> {
    section.get(key).and_then(|value| filled(&value)).unwrap_or_default()
}

/// A list of strings with something in it: an empty one most likely meant "any", and would mean "none".
fn filled(value: &Value<'_>) -> Option<BTreeSet<String>> {
    let strings = value.strings()?;
    if strings.is_empty() {
        value.problem("must not be empty: name at least one, or take the key out");
        return None;
    }
    Some(strings.into_iter().collect())
}

fn emails(section: &Section<'_>, key: &str) -> BTreeSet<String> {
    let Some(value) = section.get(key) else { return BTreeSet::new() };
    let read = value.list_of(|element| {
        let text = element.string()?;
        let whole = text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !text.contains(char::is_whitespace)
        });
        if whole {
            return Some(fold_email(&text));
        }
        element.problem(format_args!("must be emails such as \"alice@example.com\", not \"{text}\""));
        None
    });
    if read.as_ref().is_some_and(Vec::is_empty) {
        value.problem("must not be empty: name at least one, or take the key out");
    }
    read.unwrap_or_default().into_iter().collect()
}

fn what(section: &Section<'_>) -> Option<What> {
    let targets =
        section.require("targets", "{ names = [\"orders\"] }").and_then(|value| value.table(targets));
    let accounts = section.require("accounts", "[\"orders_read\"]").and_then(|value| filled(&value));
    let databases = section.get("databases").and_then(|value| filled(&value));
    let allow = section.get("allow").and_then(|value| allow(&value));
    Some(What { targets: targets?, accounts: accounts?, databases, allow })
}

/// Words of adapters: each must be one of some adapter's.
fn allow(value: &Value<'_>) -> Option<BTreeSet<String>> {
    let words = filled(value)?;
    for word in &words {
        let checks = crate::adapters::WORDS.iter().map(|adapter| (adapter.check)(word));
        let wrong = checks.collect::<Result<Vec<_>, _>>().err();
        if let Some(why) = wrong {
            value.problem(format_args!("has \"{word}\", which {why}"));
        }
    }
    Some(words)
}

fn targets(section: &Section<'_>) -> Option<Targets> {
    let names = section.get("names").and_then(|value| filled(&value));
    let words: Vec<_> = Protocol::ALL.iter().map(|protocol| (protocol.as_str(), *protocol)).collect();
    let protocol = section.optional_one_of("protocol", &words);
    let labels = section.string_map("labels");
    if !section.has("names") && !section.has("protocol") && labels.is_empty() {
        section.problem(
            "`targets` fits no target: write `{ names = [\"orders\"] }` or `{ protocol = \"postgres\", labels = { env = \"prod\" } }`",
        );
    }
    Some(Targets { names, protocol, labels })
}

fn when(section: &Section<'_>) -> Option<When> {
    let duration = section.require("duration", "{ default = \"1h\", max = \"4h\" }").and_then(|value| {
        value.table(|section| {
            let default = section.get("default");
            let max = section.duration("max", "\"4h\"", SHORTEST..=LONGEST);
            let read = default.as_ref().map(|value| (value, value.duration(SHORTEST..=LONGEST)));
            let max = max?;
            match read {
                None => Some((DEFAULT_DURATION.min(max), max)),
                Some((value, default)) => {
                    let default = default?;
                    if default > max {
                        let max = toml_doc::show_duration(max);
                        value.problem(format_args!("is longer than `max`: write at most \"{max}\""));
                    }
                    Some((default, max))
                }
            }
        })
    });
    let hours = section.optional_table("hours", hours);
    not_yet(section, &["condition"]);
    let (default, max) = duration?;
    Some(When { default, max, hours })
}

fn hours(section: &Section<'_>) -> Option<Hours> {
    let days = section.require("days", "\"Mon-Fri\"").and_then(|value| {
        let text = value.string()?;
        value.check(Days::parse(&text).map_err(|wrong| {
            format!("must be days such as \"Mon-Fri\" or \"Sat,Sun\"; \"{wrong}\" is no day (Mon, Tue, Wed, Thu, Fri, Sat, Sun)")
        }))
    });
    let from = section.require("from", "\"08:00\"");
    let from = from.and_then(|value| {
        let time = day_time(&value)?;
        if time == DayTime::MIDNIGHT_AFTER {
            value.problem("must be a time such as \"08:00\"; a day begins at \"00:00\"");
            return None;
        }
        Some(time)
    });
    let to_value = section.require("to", "\"20:00\"");
    let to = to_value.as_ref().and_then(day_time);
    if let (Some(value), Some(from), Some(to)) = (&to_value, from, to)
        && from == to
    {
        value.problem("is the same as `from`: for the whole day write `from = \"00:00\", to = \"24:00\"`");
    }
    let zone =
        section.require("zone", "\"Europe/Berlin\"").and_then(|value| {
            let text = value.string()?;
            value.check(TimeZone::get(&text).map_err(|_| {
                format!("must be a time zone such as \"Europe/Berlin\" or \"UTC\", not \"{text}\"")
            }))
        });
    Some(Hours { days: days?, from: from?, to: to?, zone: zone? })
}

fn day_time(value: &Value<'_>) -> Option<DayTime> {
    let text = value.string()?;
    let time = DayTime::parse(&text)
        .ok_or_else(|| format!("must be a time of day from \"00:00\" to \"24:00\", not \"{text}\""));
    value.check(time)
}

fn ask(section: &Section<'_>) -> Option<AskRules> {
    let reason = section.optional_one_of("reason", &[("required", true), ("optional", false)]);
    let ticket = section.get("ticket").and_then(|value| ticket(&value));
    let expires = section.optional_duration("expires", MINUTE..=30 * DAY);
    not_yet(section, &["max_age"]);
    Some(AskRules {
        reason_required: reason.unwrap_or(false),
        ticket,
        expires: expires.unwrap_or(DEFAULT_EXPIRES),
    })
}

/// The pattern has to match as a whole: one without anchors would take any text with a ticket somewhere in it.
fn ticket(value: &Value<'_>) -> Option<TicketRule> {
    let pattern = value.regex()?.as_str().to_owned();
    let whole = Regex::new(&format!(r"\A(?:{pattern})\z"))
        .map_err(|_| "must be a regular expression that can stand in brackets: take out comments");
    Some(TicketRule { whole: value.check(whole)?, pattern })
}

fn approve(root: &Section<'_>) -> Option<Stage> {
    let stages = root.tables("approve", |section| {
        let from =
            section.require("from", "{ groups = [\"sre-leads\"] }").and_then(|value| value.table(named));
        let count = section.get("count");
        let number = count.as_ref().map_or(Some(1), |value| value.integer(1..=COUNT_MAX));
        not_yet(section, &["step_up", "escalate"]);
        let stage = Stage { from: from?, count: usize::try_from(number?).ok()? };
        if let Some(value) = &count
            && stage.from.groups.is_empty()
            && stage.from.users.len() < stage.count
        {
            value.problem(format_args!(
                "can never be reached: `from` names {} only; name more, or write {}",
                stage.from.users.len(),
                stage.from.users.len()
            ));
        }
        Some((stage, section.mark()))
    });
    for (_, mark) in stages.iter().skip(1) {
        let one = "a second [[approve]] is not known to this version: take it out, for a contract is never applied by half";
        root.problem_at(*mark, one);
    }
    stages.into_iter().next().map(|(stage, _)| stage)
}

fn end(section: &Section<'_>) -> Option<End> {
    let idle = section.optional_duration("idle", SHORTEST..=DAY);
    let sessions = section.optional_integer("sessions", 1..=10_000);
    let extend = section.optional_table("extend", |section| {
        let max = section.require("max", "2").and_then(|value| value.integer(1..=100));
        let by = section.duration("by", "\"30m\"", SHORTEST..=LONGEST);
        let approval = section
            .optional_one_of("approval", &[("again", ExtendApproval::Again), ("none", ExtendApproval::None)]);
        let max = u32::try_from(max?).ok()?;
        Some(Extend { max, by: by?, approval: approval.unwrap_or(ExtendApproval::Again) })
    });
    not_yet(section, &["when_ticket_closes"]);
    Some(End { idle, sessions: sessions.and_then(|number| u32::try_from(number).ok()), extend })
}

fn record(section: &Section<'_>) -> Option<Record> {
    let words =
        [("full", ParameterPolicy::Full), ("types", ParameterPolicy::Types), ("none", ParameterPolicy::None)];
    let parameters = section.optional_one_of("parameters", &words);
    let mask = section.get("mask").and_then(|value| {
        let patterns = value.list_of(|element| Some(element.regex()?.as_str().to_owned()))?;
        if patterns.len() > MASK_MAX {
            value.problem(format_args!("must be at most {MASK_MAX} patterns: join some with |"));
        }
        Some(patterns.into_iter().collect())
    });
    let results =
        section.optional_one_of("results", &[("none", ResultPolicy::None), ("full", ResultPolicy::Full)]);
    let input = section.optional_bool("input");
    Some(Record {
        parameters: parameters.unwrap_or_default(),
        results: results.unwrap_or_default(),
        input: input.unwrap_or_default(),
        mask: mask.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests;
