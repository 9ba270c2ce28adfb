//! Arrays of common types (`array_send` and `array_out` in arrayfuncs.c).

use super::{Kind, Type, of, scalar};
use crate::codec::Cursor;
use std::fmt::Write;

/// Dimensions that an array may have: `MAXDIM` in c.h.
const DIMENSIONS: usize = 6;

/// Appends an array. The type of its elements stands in it.
pub fn write(value: &[u8], out: &mut String) -> Option<()> {
    let mut value = Cursor::new(value);
    let dimensions = usize::try_from(value.int32().ok()?).ok().filter(|count| *count <= DIMENSIONS)?;
    value.int32().ok()?;
    let Type::Scalar(kind) = of(value.int32().ok()?.cast_unsigned()) else { return None };
    if dimensions == 0 {
        out.push_str("{}");
        return value.end().ok();
    }
    let mut sizes = [0_usize; DIMENSIONS];
    let (mut count, mut bounds, mut odd) = (1_usize, String::new(), false);
    for size in sizes.iter_mut().take(dimensions) {
        let (length, lower) = (value.int32().ok()?, value.int32().ok()?);
        *size = usize::try_from(length).ok().filter(|size| *size > 0)?;
        count = count.checked_mul(*size)?;
        odd |= lower != 1;
        write!(bounds, "[{lower}:{}]", lower.checked_add(length)?.checked_sub(1)?).ok()?;
    }
    // Each element brings its length at least.
    if count > value.rest().len() / 4 {
        return None;
    }
    if odd {
        write!(out, "{bounds}=").ok()?;
    }
    let sizes = sizes.get(..dimensions)?;
    let mut element = String::new();
    for at in 0..count {
        braces('{', at, sizes, out);
        if at > 0 && !out.ends_with('{') {
            out.push(',');
        }
        one(kind, &mut value, &mut element, out)?;
        braces('}', at + 1, sizes, out);
        if at + 1 < count && out.ends_with('}') {
            out.push(',');
        }
    }
    value.end().ok()
}

/// The braces that open before, or close behind, the element at `at`: one for each dimension that begins or ends there.
fn braces(brace: char, at: usize, sizes: &[usize], out: &mut String) {
    let mut block = 1;
    for size in sizes.iter().rev() {
        block *= size;
        if at.is_multiple_of(block) {
            out.push(brace);
        }
    }
}

fn one(kind: Kind, value: &mut Cursor<'_>, element: &mut String, out: &mut String) -> Option<()> {
    let length = value.int32().ok()?;
    if length == -1 {
        out.push_str("NULL");
        return Some(());
    }
    element.clear();
    scalar(kind, value.take(usize::try_from(length).ok()?).ok()?, element)?;
    let special =
        |c: char| matches!(c, '"' | '\\' | '{' | '}' | ',' | ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c');
    if !element.is_empty() && !element.eq_ignore_ascii_case("null") && !element.contains(special) {
        out.push_str(element);
        return Some(());
    }
    out.push('"');
    for c in element.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    Some(())
}
