//! Rows: what they are made of, and what they hold.

use super::{Cursor, Malformed};

/// A column of a RowDescription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// The OID of its type.
    pub oid: u32,
    /// Whether its values are in the binary format, where that is known already.
    pub binary: bool,
}

/// The columns of a RowDescription, as far as it can be read.
pub fn columns(body: &[u8]) -> impl Iterator<Item = Column<'_>> + Clone {
    let mut cursor = Cursor::new(body);
    let count = cursor.count().unwrap_or(0);
    (0..count).map_while(move |_| {
        let name = cursor.string().ok()?;
        // The table's OID, the column's number; then the type's OID, its length, its modifier, the format.
        let rest = cursor.take(18).ok()?;
        let (_, rest) = rest.split_first_chunk::<6>()?;
        let (oid, rest) = rest.split_first_chunk::<4>()?;
        let format = rest.get(6..)?;
        Some(Column { name, oid: u32::from_be_bytes(*oid), binary: format != [0, 0] })
    })
}

/// The values of a DataRow; none for NULL.
///
/// # Errors
/// Where it is malformed.
pub fn fields(body: &[u8]) -> Result<impl Iterator<Item = Option<&[u8]>> + Clone, Malformed> {
    let mut cursor = Cursor::new(body);
    let count = cursor.count()?;
    let values = cursor;
    for _ in 0..count {
        cursor.value()?;
    }
    cursor.end()?;
    let mut values = values;
    Ok((0..count).map_while(move |_| values.value().ok()))
}
