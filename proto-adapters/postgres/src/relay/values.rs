//! Values, parameters and rows', as they are recorded.

use crate::codec::frontend::Values;
use crate::codec::value::{self, Kind, Type};
use crate::codec::{Malformed, limits};
use curfew_adapter::{Hex, Parameter, ParameterPolicy, TypeName};

/// As many values as are taken down without asking for memory.
const FEW: usize = 16;

/// What may be held for the next time.
const HELD: usize = 4 * 1024;

/// A value: its type as far as known, whether it is in the binary format, and its bytes; none for NULL.
pub type Value<'a> = (u32, bool, Option<&'a [u8]>);

/// Puts values into words. It keeps its memory from one statement to the next.
#[derive(Debug, Default)]
pub struct Decoder {
    /// What had to be put into words.
    text: String,
    /// Where each of that ends; none where the bytes made no sense.
    ends: Vec<Option<usize>>,
}

impl Decoder {
    /// Calls `then` with `values` as they are recorded under this policy.
    pub fn with<'a, T>(
        &mut self,
        values: impl Iterator<Item = Value<'a>> + Clone,
        policy: ParameterPolicy,
        then: impl FnOnce(&[Parameter<'_>]) -> T,
    ) -> T {
        if policy == ParameterPolicy::None {
            return then(&[]);
        }
        self.text.clear();
        self.ends.clear();
        if policy == ParameterPolicy::Full {
            for (oid, binary, bytes) in values.clone() {
                if let Some(bytes) = bytes
                    && is_worded(oid, binary, bytes)
                {
                    let written = value::write(oid, bytes, &mut self.text);
                    self.ends.push(written.map(|()| self.text.len()));
                }
            }
        }
        let (mut ends, mut from) = (self.ends.iter(), 0);
        let mut worded = || {
            let to = ends.next().copied().flatten()?;
            self.text.get(std::mem::replace(&mut from, to)..to)
        };
        let mut values = values.map(|(oid, binary, bytes)| shown(oid, binary, bytes, policy, &mut worded));
        let mut few = [Parameter::Null; FEW];
        let mut count = 0;
        for (place, value) in few.iter_mut().zip(&mut values) {
            *place = value;
            count += 1;
        }
        let done = if let (FEW, Some(more)) = (count, values.next()) {
            let all: Vec<_> = few.into_iter().chain([more]).chain(values).collect();
            then(&all)
        } else {
            then(few.get(..count).unwrap_or_default())
        };
        if self.text.capacity() > HELD {
            self.text = String::new();
        }
        if self.ends.capacity() > HELD {
            self.ends = Vec::new();
        }
        done
    }
}

/// What stands in a message that carries values, with their types.
pub fn typed<'a>(
    values: Values<'a>,
    types: impl Iterator<Item = u32> + Clone,
) -> impl Iterator<Item = Value<'a>> + Clone {
    let types = types.chain(std::iter::repeat(0));
    values.iter().zip(types).map(|((binary, bytes), oid)| (oid, binary, bytes))
}

/// Calls `then` with the names of types.
///
/// # Errors
/// Those of `then`.
pub fn named<T>(types: impl ExactSizeIterator<Item = u32>, then: impl FnOnce(&[TypeName]) -> T) -> T {
    let mut few = [TypeName::Number(0); FEW];
    if types.len() > FEW {
        return then(&types.map(value::name).collect::<Vec<_>>());
    }
    let count = types.len();
    few.iter_mut().zip(types).for_each(|(place, oid)| *place = value::name(oid));
    then(few.get(..count).unwrap_or_default())
}

/// The values of a DataRow.
///
/// # Errors
/// Where it is malformed.
pub fn row<'a>(
    body: &'a [u8],
    columns: impl Iterator<Item = (u32, bool)> + Clone,
) -> Result<impl Iterator<Item = Value<'a>> + Clone, Malformed> {
    let fields = crate::codec::row::fields(body)?;
    let columns = columns.chain(std::iter::repeat((0, false)));
    Ok(fields.zip(columns).map(|(bytes, (oid, binary))| (oid, binary, bytes)))
}

/// Whether a value has to be put into words, and is not recorded as it stands.
fn is_worded(oid: u32, binary: bool, bytes: &[u8]) -> bool {
    binary
        && bytes.len() <= limits::PARAMETER
        && match value::of(oid) {
            Type::Scalar(kind) => !matches!(
                kind,
                Kind::Bool | Kind::Text | Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Oid | Kind::Float8
            ),
            Type::Array => true,
            Type::Other => false,
        }
}

fn shown<'a>(
    oid: u32,
    binary: bool,
    bytes: Option<&'a [u8]>,
    policy: ParameterPolicy,
    worded: &mut impl FnMut() -> Option<&'a str>,
) -> Parameter<'a> {
    let Some(bytes) = bytes else { return Parameter::Null };
    if policy == ParameterPolicy::Types {
        return Parameter::Typed { kind: value::name(oid), length: bytes.len() };
    }
    if bytes.len() > limits::PARAMETER {
        return Parameter::Length(bytes.len());
    }
    if !binary {
        return text(bytes);
    }
    if is_worded(oid, binary, bytes) {
        return match worded() {
            None => Parameter::Hex(Hex(bytes)),
            Some(number) if oid == FLOAT4 => float(number.parse().unwrap_or(f64::NAN)),
            Some(text) => Parameter::Text(text),
        };
    }
    match (value::of(oid), bytes) {
        (Type::Scalar(Kind::Bool), [byte]) => Parameter::Boolean(*byte != 0),
        (Type::Scalar(Kind::Int2), &[a, b]) => Parameter::Integer(i16::from_be_bytes([a, b]).into()),
        (Type::Scalar(Kind::Int4), &[a, b, c, d]) => {
            Parameter::Integer(i32::from_be_bytes([a, b, c, d]).into())
        }
        (Type::Scalar(Kind::Oid), &[a, b, c, d]) => {
            Parameter::Integer(u32::from_be_bytes([a, b, c, d]).into())
        }
        (Type::Scalar(Kind::Int8), bytes) => bytes
            .try_into()
            .map_or(Parameter::Hex(Hex(bytes)), |bytes| Parameter::Integer(i64::from_be_bytes(bytes))),
        (Type::Scalar(Kind::Float8), bytes) => {
            bytes.try_into().map_or(Parameter::Hex(Hex(bytes)), |bytes| float(f64::from_be_bytes(bytes)))
        }
        (Type::Scalar(Kind::Text), bytes) => text(bytes),
        (_, bytes) => Parameter::Hex(Hex(bytes)),
    }
}

const FLOAT4: u32 = 700;

/// JSON has no number for those that are none.
fn float(number: f64) -> Parameter<'static> {
    match number {
        _ if number.is_finite() => Parameter::Float(number),
        f64::INFINITY => Parameter::Text("Infinity"),
        f64::NEG_INFINITY => Parameter::Text("-Infinity"),
        _ => Parameter::Text("NaN"),
    }
}

fn text(value: &[u8]) -> Parameter<'_> {
    std::str::from_utf8(value).map_or(Parameter::Hex(Hex(value)), Parameter::Text)
}
