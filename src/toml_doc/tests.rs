//! Whole files read, and every message as a person sees it.

use std::time::Duration;

use proptest::prelude::*;

use super::{Section, closest, parse_duration, read, show_duration};

const HOUR: Duration = Duration::from_secs(3600);

/// A reader that uses every method once.
fn sample(root: &Section<'_>) -> Option<String> {
    let name = root.string("name", "\"x\"");
    let _listen = root.table("listen", |listen| {
        let address = listen.string("address", "\"0.0.0.0:443\"");
        let tls = listen.optional_one_of("tls", &[("own", 1), ("off", 2)]);
        let limit = listen.optional_integer("limit", 1..=10);
        let proxied = listen.optional_bool("proxy_protocol");
        listen.not_yet("ssh", "remove it");
        Some((address?, tls, limit, proxied))
    });
    let _life = root.optional_duration("lifetime", Duration::from_secs(1)..=24 * HOUR);
    let _ticket = root.optional_regex("ticket");
    let _labels = root.string_map("labels");
    let _groups = root.strings("groups");
    let _ip: Option<std::net::IpAddr> = root.optional_parse("ip", "an address such as \"10.0.0.1\"");
    let targets = root.tables("target", |target| target.string("name", "\"orders\""));
    let name = name?;
    Some(format!("{name} {}", targets.join(",")))
}

fn problems(text: &str) -> String {
    read("f.toml", text, sample).map_or_else(|problems| problems.to_string(), |read| panic!("read {read}"))
}

#[test]
fn a_good_file_reads() {
    let text = r#"
name = "n"
lifetime = "12h"
ticket = '^INC-\d+$'
labels = { env = "prod" }
groups = ["a"]
ip = "::1"
[listen]
address = "x"
tls = "own"
limit = 0x0a
[[target]]
name = "one"
[[target]]
name = "two"
"#;
    assert_eq!(read("f.toml", text, sample).unwrap(), "n one,two");
}

#[test]
fn every_problem_is_told_at_once_in_the_order_of_the_file() {
    let text = "\
nmae = 'x'
lifetime = '25h'
ticket = '('
labels = { env = 1, app = true }
groups = ['ok', 3, '']
ip = 'localhost'
[listen]
tls = 'of'
limit = 99
proxy_protocol = 'yes'
ssh = {}
sink = 1
[[target]]
name = 'good'
[[target]]
[extra]
";
    insta::assert_snapshot!(problems(text), @r#"
    f.toml:1:1: unknown key `nmae` at the top of the file; did you mean `name`?
    f.toml:2:12: `lifetime` must be from "1s" to "1d", not "25h"
    f.toml:3:10: `ticket` must be a regular expression: unclosed group
    f.toml:4:18: `env` must be a string; write "1"
    f.toml:4:27: `app` must be a string; write "true"
    f.toml:5:17: `groups` must be a string; write "3"
    f.toml:5:20: `groups` must not be empty
    f.toml:6:6: `ip` must be an address such as "10.0.0.1", not "localhost"
    f.toml:7:1: missing key `address` in [listen]; write `address = "0.0.0.0:443"`
    f.toml:8:7: `tls` must be "own" or "off"; did you mean "off"?
    f.toml:9:9: `limit` must be a whole number from 1 to 10, not 99
    f.toml:10:18: `proxy_protocol` must be true or false, without quotes, not a string
    f.toml:11:1: `ssh` in [listen] is not known to this version: remove it
    f.toml:12:1: unknown key `sink` in [listen]; known here: address, tls, limit, proxy_protocol, ssh
    f.toml:15:1: missing key `name` in [target]; write `name = "orders"`
    f.toml:16:2: unknown key `extra` at the top of the file; known here: name, listen, lifetime, ticket, labels, groups, ip, target
    "#);
}

#[test]
fn a_slip_in_the_syntax_does_not_hide_the_rest() {
    let text = "name = \nlifetime = 12\n[listen]\naddress = 'x'\nlimitt = 1\n";
    insta::assert_snapshot!(problems(text), @r#"
    f.toml:1:8: string values must be quoted, expected literal string
    f.toml:2:12: `lifetime` must be a duration in quotes, such as "90s", "15m" or "7d", not a whole number
    f.toml:5:1: unknown key `limitt` in [listen]; did you mean `limit`?
    "#);
}

#[test]
fn wrong_shapes_are_named() {
    let text = "name = 1.5\nlisten = 'x'\nlabels = []\ngroups = 'a'\n[target]\nname = 'x'\n";
    insta::assert_snapshot!(problems(text), @r"
    f.toml:1:8: `name` must be a string in quotes, not a number with a point
    f.toml:2:10: `listen` must be a table, { … }, not a string
    f.toml:3:10: `labels` must be a table, { … }, not a list
    f.toml:4:10: `groups` must be a list in square brackets, not a string
    f.toml:5:1: `target` is a list of tables: write [[target]], or [{ … }] inline
    ");
}

#[test]
fn columns_count_characters() {
    let said = problems("name = 'ü' # ä\n'größe' = 1\n[listen]\naddress = 'x'\n");
    assert_eq!(said.lines().next().unwrap().split(':').nth(2), Some("1"), "{said}");
    let said = problems("name = 'n'\nlabels = { 'ä' = 'ö', b = 1 }\n[listen]\naddress = 'x'\n");
    assert!(said.starts_with("f.toml:2:27:"), "{said}");
}

#[test]
fn durations_read_and_show() {
    for (text, seconds) in
        [("90s", 90), ("15m", 900), ("1h30m", 5400), ("1h 30m", 5400), ("400d", 34_560_000)]
    {
        assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
    }
    assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
    for text in ["", "5", "h", "1.5h", "-1h", "1y", "1H", "99999999999999999999d", "1h!", "🦀"] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
    assert_eq!(show_duration(Duration::from_secs(5400)), "1h30m");
    assert_eq!(show_duration(Duration::from_secs(400 * 86_400)), "400d");
    assert_eq!(show_duration(Duration::ZERO), "0s");
}

#[test]
fn only_near_words_are_suggested() {
    assert_eq!(closest("adress", ["address", "tls"]), Some("address"));
    assert_eq!(closest("Address", ["address"]), Some("address"));
    assert_eq!(closest("ssh", ["tls", "http"]), None);
}

proptest! {
    #[test]
    fn any_text_reads_or_is_explained(text in "\\PC*|[a-z=\\[\\]{}\"'.#\n 0-9]*") {
        match read("f.toml", &text, sample) {
            Ok(_) => {}
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                let lines = text.lines().count() + 1;
                prop_assert!(problems.iter().all(|one| (1..=lines).contains(&one.line) && one.column >= 1));
            }
        }
    }

    #[test]
    fn shown_durations_read_back(millis in 0u64..=u64::MAX / 2) {
        let duration = Duration::from_millis(millis);
        prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
    }
}
