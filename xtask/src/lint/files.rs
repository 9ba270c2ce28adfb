//! What may stand in the repository's files.

use super::sources::Sources;

/// main.rs parses, runs, exits.
const MAIN_LINES: usize = 80;

/// Checks every file.
pub fn check(sources: &Sources) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(lines) = sources.file("src/main.rs").map(|text| text.lines().count())
        && lines >= MAIN_LINES
    {
        wrong.push(format!("src/main.rs has {lines} lines; it stays under {MAIN_LINES}"));
    }
    for (path, text) in &sources.0 {
        if holds_private_key(text) {
            wrong.push(format!("{path} holds a private key: tests make their own"));
        }
        if path.ends_with("package-lock.json") {
            let odd = text.lines().filter(|line| line.contains("\"resolved\""));
            let odd = odd.filter(|line| !line.contains("\"https://registry.npmjs.org/"));
            wrong.extend(odd.map(|line| format!("{path} names an odd registry: {}", line.trim())));
        }
        if path == "Cargo.lock" {
            let odd = text.lines().filter(|line| line.starts_with("source = "));
            let odd = odd
                .filter(|line| *line != "source = \"registry+https://github.com/rust-lang/crates.io-index\"");
            wrong.extend(odd.map(|line| format!("{path} names an odd {line}")));
        }
    }
    wrong
}

/// A PEM header of a private key with what looks like its first line of base64 (RFC 7468); a header alone, as parsers
/// and texts have it, is none.
fn holds_private_key(text: &str) -> bool {
    let mut lines = text.lines().map(|line| line.trim().trim_matches(['"', '\'', '`', ',', ';']));
    while let Some(line) = lines.next() {
        if line.starts_with("-----BEGIN ") && line.ends_with("PRIVATE KEY-----") {
            let next = lines.next().unwrap_or_default();
            let base64 = next.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
            if next.len() >= 40 && base64 {
                return true;
            }
        }
    }
    false
}
