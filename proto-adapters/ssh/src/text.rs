//! What a person is told, as SSH can show it.

use curfew_adapter::Notice;

/// OpenSSH shows this much of a disconnect message.
const DISCONNECT: usize = 400;

/// Without control characters: what is told may repeat what somebody else has typed.
fn clean(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(|c| !c.is_control() || *c == '\n')
}

/// The parts of a notice, one below the other.
pub fn lines(notice: &Notice) -> String {
    let mut out = String::new();
    for part in [&notice.message, &notice.detail, &notice.hint] {
        if !part.is_empty() {
            out.extend(clean(part));
            out.push('\n');
        }
    }
    out
}

/// A notice in one line, for the message of a disconnect.
pub fn line(notice: &Notice) -> String {
    let mut out = String::new();
    for part in [&notice.message, &notice.detail, &notice.hint] {
        if part.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push_str(if out.ends_with(['.', '!', '?']) { " " } else { ". " });
        }
        out.extend(clean(part).map(|c| if c == '\n' { ' ' } else { c }));
    }
    let end = out.char_indices().map(|(at, _)| at).find(|at| *at >= DISCONNECT - 4).unwrap_or(out.len());
    out.truncate(end);
    out
}

/// Lines for a terminal in raw mode, on lines of their own.
pub fn terminal(lines: &str) -> Vec<u8> {
    format!("\r\n{}", lines.replace('\n', "\r\n")).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_in_lines_and_in_one() {
        let notice = Notice {
            message: "curfew: over".to_owned(),
            detail: "By bob\x1b[2J.".to_owned(),
            hint: "Ask\nagain".to_owned(),
        };
        assert_eq!(lines(&notice), "curfew: over\nBy bob[2J.\nAsk\nagain\n");
        assert_eq!(line(&notice), "curfew: over. By bob[2J. Ask again");
        assert_eq!(terminal("a\nb\n"), b"\r\na\r\nb\r\n");
    }
}
