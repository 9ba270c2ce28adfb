//! Values in Postgres's binary format, written as Postgres itself writes them (with ISO dates, in UTC).
//!
//! Owns which types are read, and how. The formats are those of the types' `…_send` functions in the server's sources
//! (src/backend/utils/adt); the OIDs are those of pg_type.dat, which never change. A value that is not what its type
//! says is not guessed at, and none becomes a text much longer than itself.

mod array;
mod net;
mod numeric;
mod time;

use super::Cursor;
use curfew_adapter::TypeName;
use std::fmt::Write;

/// How the binary format of a type is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One byte, 0 or 1.
    Bool,
    /// Any bytes.
    Bytea,
    /// One byte of text.
    Char,
    /// Text: the binary format is no other.
    Text,
    /// A signed number of 16 bits.
    Int2,
    /// A signed number of 32 bits.
    Int4,
    /// A signed number of 64 bits.
    Int8,
    /// An unsigned number of 32 bits.
    Oid,
    /// IEEE 754, 32 bits.
    Float4,
    /// IEEE 754, 64 bits.
    Float8,
    /// Digits to the base 10,000.
    Numeric,
    /// A version, and JSON.
    Jsonb,
    /// Days since 2000.
    Date,
    /// Microseconds since midnight.
    Time,
    /// The same, and a zone.
    TimeTz,
    /// Microseconds since 2000.
    Timestamp,
    /// The same, in UTC.
    TimestampTz,
    /// Microseconds, days, months.
    Interval,
    /// An address; its network mask is left out where it is a single host.
    Inet,
    /// A network.
    Cidr,
    /// 16 bytes.
    Uuid,
}

/// OID, OID of its arrays, name, kind.
const TYPES: [(u32, u32, &str, Kind); 32] = [
    (16, 1000, "bool", Kind::Bool),
    (17, 1001, "bytea", Kind::Bytea),
    (18, 1002, "\"char\"", Kind::Char),
    (19, 1003, "name", Kind::Text),
    (20, 1016, "int8", Kind::Int8),
    (21, 1005, "int2", Kind::Int2),
    (23, 1007, "int4", Kind::Int4),
    (24, 1008, "regproc", Kind::Oid),
    (25, 1009, "text", Kind::Text),
    (26, 1028, "oid", Kind::Oid),
    (28, 1011, "xid", Kind::Oid),
    (114, 199, "json", Kind::Text),
    (142, 143, "xml", Kind::Text),
    (650, 651, "cidr", Kind::Cidr),
    (700, 1021, "float4", Kind::Float4),
    (701, 1022, "float8", Kind::Float8),
    (705, 0, "unknown", Kind::Text),
    (869, 1041, "inet", Kind::Inet),
    (1042, 1014, "bpchar", Kind::Text),
    (1043, 1015, "varchar", Kind::Text),
    (1082, 1182, "date", Kind::Date),
    (1083, 1183, "time", Kind::Time),
    (1114, 1115, "timestamp", Kind::Timestamp),
    (1184, 1185, "timestamptz", Kind::TimestampTz),
    (1186, 1187, "interval", Kind::Interval),
    (1266, 1270, "timetz", Kind::TimeTz),
    (1700, 1231, "numeric", Kind::Numeric),
    (1790, 2201, "refcursor", Kind::Text),
    (2205, 2210, "regclass", Kind::Oid),
    (2278, 0, "void", Kind::Text),
    (2950, 2951, "uuid", Kind::Uuid),
    (3802, 3807, "jsonb", Kind::Jsonb),
];

/// What is known of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A common one.
    Scalar(Kind),
    /// An array of such.
    Array,
    /// Nothing.
    Other,
}

/// What is known of the type with this OID.
pub fn of(oid: u32) -> Type {
    for (one, many, _, kind) in TYPES {
        if oid == one {
            return Type::Scalar(kind);
        }
        if oid == many && many != 0 {
            return Type::Array;
        }
    }
    Type::Other
}

/// What the type with this OID is called.
pub fn name(oid: u32) -> TypeName {
    let named = |(one, many, name, _): &(u32, u32, &'static str, Kind)| match oid {
        0 => None,
        _ if oid == *one => Some(TypeName::Named(name)),
        _ if oid == *many => Some(TypeName::Array(name)),
        _ => None,
    };
    TYPES.iter().find_map(named).unwrap_or(TypeName::Number(oid))
}

/// Appends the text of a value; `None`, and nothing appended, where it is not a value of this type or the type is not
/// known here.
pub fn write(oid: u32, value: &[u8], out: &mut String) -> Option<()> {
    let before = out.len();
    let written = match of(oid) {
        Type::Scalar(kind) => scalar(kind, value, out),
        Type::Array => array::write(value, out),
        Type::Other => None,
    };
    if written.is_none() {
        out.truncate(before);
    }
    written
}

fn scalar(kind: Kind, value: &[u8], out: &mut String) -> Option<()> {
    match kind {
        Kind::Bool => out.push(if *fixed::<1>(value)? == [0] { 'f' } else { 't' }),
        Kind::Bytea => {
            out.push_str("\\x");
            hex(value, out);
        }
        Kind::Char => match fixed::<1>(value)? {
            [0] => {}
            [byte] if byte.is_ascii() => out.push(char::from(*byte)),
            [byte] => write!(out, "\\{byte:03o}").ok()?,
        },
        Kind::Text => out.push_str(std::str::from_utf8(value).ok()?),
        Kind::Jsonb => match value.split_first()? {
            (1, json) => out.push_str(std::str::from_utf8(json).ok()?),
            _ => return None,
        },
        Kind::Int2 => write!(out, "{}", i16::from_be_bytes(*fixed(value)?)).ok()?,
        Kind::Int4 => write!(out, "{}", i32::from_be_bytes(*fixed(value)?)).ok()?,
        Kind::Int8 => write!(out, "{}", i64::from_be_bytes(*fixed(value)?)).ok()?,
        Kind::Oid => write!(out, "{}", u32::from_be_bytes(*fixed(value)?)).ok()?,
        Kind::Float4 => {
            let number = f32::from_be_bytes(*fixed(value)?);
            numeric::float(number.is_finite().then(|| format!("{number:e}")), number.into(), 6, out)?;
        }
        Kind::Float8 => {
            let number = f64::from_be_bytes(*fixed(value)?);
            numeric::float(number.is_finite().then(|| format!("{number:e}")), number, 15, out)?;
        }
        Kind::Numeric => numeric::write(Cursor::new(value), out)?,
        Kind::Date => time::date(value, out)?,
        Kind::Time => time::time(value, out)?,
        Kind::TimeTz => time::time_tz(value, out)?,
        Kind::Timestamp => time::timestamp(value, false, out)?,
        Kind::TimestampTz => time::timestamp(value, true, out)?,
        Kind::Interval => time::interval(value, out)?,
        Kind::Inet => net::write(value, false, out)?,
        Kind::Cidr => net::write(value, true, out)?,
        Kind::Uuid => {
            let [a, b, c, d, e, f, rest @ ..] = fixed::<16>(value)?;
            let [g, h, i, j, rest @ ..] = rest;
            for (dash, part) in [(false, &[*a, *b, *c, *d][..]), (true, &[*e, *f]), (true, &[*g, *h])] {
                if dash {
                    out.push('-');
                }
                hex(part, out);
            }
            out.push('-');
            hex(&[*i, *j], out);
            out.push('-');
            hex(rest, out);
        }
    }
    Some(())
}

/// The bytes, where there are as many as the type takes.
fn fixed<const N: usize>(value: &[u8]) -> Option<&[u8; N]> {
    value.try_into().ok()
}

fn hex(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            out.push(char::from_digit(digit.into(), 16).unwrap_or('?'));
        }
    }
}

#[cfg(test)]
mod tests;
