//! Names that stand in lines to be pasted, and so must mean nothing more than they say.

/// A target's name, as the configuration has it.
pub fn name(text: &str) -> Result<String, String> {
    let fits = text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
    fits.then(|| text.to_owned()).ok_or_else(|| {
        "a target's name has a-z, 0-9, \"-\", \"_\" and \".\", and begins with a letter or digit".to_owned()
    })
}

/// A role or a database, spelled so that it means itself in SQL, in pg_hba.conf and in TOML, in quotes.
pub fn object(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits = !text.is_empty() && text.len() <= 63 && text.chars().all(plain);
    fits.then(|| text.to_owned())
        .ok_or_else(|| "a name of a-z, A-Z, 0-9, \"-\", \"_\" and \".\", such as orders_read".to_owned())
}
