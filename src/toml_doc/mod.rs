//! Reading TOML so that a person can mend it: every problem of a file at once, each with its line and column and with
//! what to write instead. The configuration and the contracts share it; it knows nothing of either.
//!
//! A reader takes what it knows out of a [`Section`], *all of it first*, and only then gives up with `?`: a key that was
//! never asked for counts as unknown.
//!
//! ```
//! use curfew::toml_doc;
//!
//! let text = "[listen]\nadress = '127.0.0.1:443'\n";
//! let problems = toml_doc::read("curfew.toml", text, |root| {
//!     root.table("listen", |listen| {
//!         let address = listen.string("address", "\"0.0.0.0:443\"");
//!         let proxied = listen.optional_bool("proxy_protocol");
//!         Some((address?, proxied.unwrap_or(false)))
//!     })
//! })
//! .unwrap_err();
//! let said = "curfew.toml:2:1: unknown key `adress` in [listen]; did you mean `address`?\n";
//! assert_eq!(problems.to_string(), said);
//! ```

mod duration;
mod problems;
mod section;
mod suggest;
#[cfg(test)]
mod tests;
mod value;

pub use duration::{parse_duration, show_duration};
pub use problems::{Mark, Problem, Problems};
pub use section::Section;
pub use suggest::closest;
pub use value::Value;

use problems::Source;
use toml::de::DeTable;

/// Reads `text`, called `file` in messages, with `reader`.
///
/// # Errors
/// All problems, in the order of the file: those of the syntax, and those that `reader` and the methods of [`Section`]
/// and [`Value`] noted. Where there is one, what `reader` returned is dropped.
pub fn read<T>(
    file: &str,
    text: &str,
    reader: impl FnOnce(&Section<'_>) -> Option<T>,
) -> Result<T, Problems> {
    let source = Source::new(file, text);
    let (root, broken) = DeTable::parse_recoverable(text);
    for error in &broken {
        let at = error.span().map_or(Mark(0), |span| Mark(span.start));
        source.note_syntax(at, error.message());
    }
    let read = Section::of_root(&source, root.get_ref()).read_with(reader);
    if read.is_none() && source.is_clean() {
        source.note(Mark(0), "this file can't be read, and its reader did not say why".to_owned());
    }
    let problems = source.into_problems();
    match read {
        Some(value) if problems.is_empty() => Ok(value),
        _ => Err(problems),
    }
}
