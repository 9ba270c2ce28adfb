//! What every command says about itself, as one file to read.

use clap::{Command, CommandFactory};

use crate::cli::Cli;

#[test]
fn every_command_says_what_it_takes() {
    let mut text = String::new();
    tell(Cli::command().term_width(100), "curfew", &mut text);
    insta::assert_snapshot!(text);
}

fn tell(command: Command, path: &str, text: &mut String) {
    let mut shown = command.clone().bin_name(path).term_width(100);
    text.push_str(&format!("### {path}\n{}\n", shown.render_help()));
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        tell(sub.clone(), &format!("{path} {}", sub.get_name()), text);
    }
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn wrong_words_are_answered_with_what_to_type() {
    let said = |line: &[&str]| {
        use clap::Parser;
        let error = Cli::try_parse_from(line).unwrap_err();
        (error.exit_code(), error.to_string())
    };
    let (code, text) = said(&["curfew", "reqest", "orders"]);
    assert!(code == 2 && text.contains("'request"), "{text}");
    let (code, text) = said(&["curfew", "request", "orders", "--for", "1 hour"]);
    assert!(code == 2 && text.contains("such as \"90s\", \"15m\", \"1h30m\""), "{text}");
    let (code, text) = said(&["curfew", "deny", "req_a"]);
    assert!(code == 2 && text.contains("--reason <REASON>"), "{text}");
}
