//! Lists in pieces: at most 500 items, and a cursor to the next piece.

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::problem::Problem;
use crate::store::{Cursor, Page, Slice};

/// The most items that a piece has.
pub const LIMIT: u32 = 500;

/// A piece of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// The items.
    pub items: Vec<T>,
    /// `cursor` of the next piece; null: this is the last.
    pub next: Option<String>,
}

impl<T> List<T> {
    /// A list that comes in one piece.
    pub const fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

impl<T> From<Page<T>> for List<T> {
    fn from(page: Page<T>) -> Self {
        Self { items: page.items, next: page.next.map(|cursor| cursor.to_string()) }
    }
}

/// Which piece is wanted.
///
/// # Errors
/// 400 for a limit or a cursor that is none.
pub fn slice(limit: Option<u32>, cursor: Option<&str>) -> Result<Slice, Problem> {
    let limit = match limit {
        None => LIMIT,
        Some(limit @ 1..=LIMIT) => limit,
        Some(_) => return Err(Problem::bad_request(format!("A limit is 1 to {LIMIT}."))),
    };
    let foreign =
        || Problem::bad_request("The cursor is none of this list: take the `next` of its last piece.");
    let after = cursor.map(|text| Cursor::parse(text).ok_or_else(foreign)).transpose()?;
    Ok(Slice { after, limit })
}
