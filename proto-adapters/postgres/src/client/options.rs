//! The startup parameter `options`: a command line of which only settings are taken.

use super::{Sentence, parameters::shown};

/// Reads `-c name=value`, `-cname=value` and `--name=value`, split as Postgres splits them
/// (`pg_split_opts`: white space parts them, a backslash keeps the next character).
///
/// # Errors
/// The sentence to refuse anything else with.
pub fn parse(line: &str) -> Result<Vec<(String, String)>, Box<Sentence>> {
    let mut words = split(line).into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let assignment = if word == "-c" {
            words.next()
        } else {
            word.strip_prefix("--").or_else(|| word.strip_prefix("-c")).map(str::to_owned)
        };
        match assignment.as_deref().and_then(|assignment| assignment.split_once('=')) {
            // A dash in a name stands for an underscore (`ParseLongOption`).
            Some((name, value)) => settings.push((name.replace('-', "_"), value.to_owned())),
            None => {
                return Err(Box::new(Sentence::new(
                    "0A000",
                    format!("curfew: the connection option `{}` is not taken here", shown(&word)),
                    "Only settings are: -c NAME=VALUE.",
                )));
            }
        }
    }
    Ok(settings)
}

fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            // The six that C's isspace knows.
            ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().extend(characters.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
