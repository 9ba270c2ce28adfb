//! As much of HTML as forms and links need: tags, attributes, text. It must never be taken for a sanitizer.

/// A piece of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Open(String, Vec<(String, String)>),
    Close(String),
    Text(String),
}

/// Elements whose content is text up to their end tag (HTML, 13.2.5.1 and following).
const RAW: [&str; 4] = ["script", "style", "textarea", "title"];

/// Splits a page into its pieces; names come out in lower case, entities decoded, comments dropped.
pub(super) fn tokens(html: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = html;
    while !rest.is_empty() {
        let Some(tag) = rest.strip_prefix('<') else {
            let (text, after) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
            tokens.push(Token::Text(decode(text)));
            rest = after;
            continue;
        };
        if let Some(comment) = tag.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
        } else if tag.starts_with(['!', '?']) {
            rest = tag.split_once('>').map_or("", |(_, after)| after);
        } else if let Some(close) = tag.strip_prefix('/') {
            let (name, after) = close.split_once('>').unwrap_or((close, ""));
            tokens.push(Token::Close(name.trim().to_ascii_lowercase()));
            rest = after;
        } else if tag.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let end = tag.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(tag.len());
            let (name, after) = tag.split_at(end);
            let name = name.to_ascii_lowercase();
            let (attributes, after) = attributes(after);
            rest = after;
            let raw = RAW.contains(&name.as_str());
            tokens.push(Token::Open(name.clone(), attributes));
            if raw {
                let end = find_end_tag(rest, &name);
                let (text, after) = rest.split_at(end);
                let text = if name == "textarea" { text.strip_prefix('\n').unwrap_or(text) } else { text };
                tokens.push(Token::Text(decode(text)));
                rest = after;
            }
        } else {
            tokens.push(Token::Text("<".to_owned()));
            rest = tag;
        }
    }
    tokens
}

fn find_end_tag(text: &str, name: &str) -> usize {
    text.to_ascii_lowercase().find(&format!("</{name}")).unwrap_or(text.len())
}

/// Reads attributes up to the `>`; what is behind it is the second half.
fn attributes(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            return (found, rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (found, after);
        }
        let end = rest.find(|c: char| c.is_whitespace() || "=>/".contains(c)).unwrap_or(rest.len());
        // A lone `=` would be read for ever.
        let (name, after) = rest.split_at(end.max(1));
        let after_space = after.trim_start();
        let (value, after) = match after_space.strip_prefix('=') {
            None => ("", after),
            Some(value) => attribute_value(value.trim_start()),
        };
        found.push((name.to_ascii_lowercase(), decode(value)));
        rest = after;
    }
}

fn attribute_value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(quoted) = text.strip_prefix(quote) {
            return quoted.split_once(quote).unwrap_or((quoted, ""));
        }
    }
    text.split_at(text.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(text.len()))
}

/// Decodes the entities that template engines write.
fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let entity = after.split_once(';').filter(|(name, _)| name.len() <= 8);
        let decoded = entity.and_then(|(name, after)| Some((named(name)?, after)));
        if let Some((character, after)) = decoded {
            out.push(character);
            rest = after;
        } else {
            out.push('&');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

fn named(entity: &str) -> Option<char> {
    if let Some(number) = entity.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    Some(match entity {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "middot" => '·',
        "hellip" => '…',
        "ndash" => '–',
        "mdash" => '—',
        "rarr" => '→',
        _ => return None,
    })
}
