//! Parameters of a statement, as they are recorded.

use crate::codec::frontend::Values;
use crate::codec::limits;
use curfew_adapter::{Hex, Parameter, ParameterPolicy};

/// The parameters `values`, whose types are `types` as far as known.
pub fn recorded<'a>(values: &Values<'a>, types: &[u32], policy: ParameterPolicy) -> Vec<Parameter<'a>> {
    if policy == ParameterPolicy::None {
        return Vec::new();
    }
    let mut types = types.iter().copied();
    let mut found = Vec::with_capacity(values.count());
    found.extend(values.iter().map(|(binary, value)| {
        let oid = types.next().unwrap_or(0);
        match value {
            None => Parameter::Null,
            Some(value) if policy == ParameterPolicy::Types || value.len() > limits::PARAMETER => {
                Parameter::Length(value.len())
            }
            Some(value) if binary => decode(oid, value),
            Some(value) => text(value),
        }
    }));
    found
}

fn text(value: &[u8]) -> Parameter<'_> {
    std::str::from_utf8(value).map_or(Parameter::Hex(Hex(value)), Parameter::Text)
}

/// A value in the binary format. The OIDs are those of pg_type.dat, which never change.
fn decode(oid: u32, value: &[u8]) -> Parameter<'_> {
    match (oid, value) {
        (16, [byte]) => Parameter::Boolean(*byte != 0),
        (20, &[a, b, c, d, e, f, g, h]) => Parameter::Integer(i64::from_be_bytes([a, b, c, d, e, f, g, h])),
        (21, &[a, b]) => Parameter::Integer(i16::from_be_bytes([a, b]).into()),
        (23, &[a, b, c, d]) => Parameter::Integer(i32::from_be_bytes([a, b, c, d]).into()),
        (26, &[a, b, c, d]) => Parameter::Integer(u32::from_be_bytes([a, b, c, d]).into()),
        (700, &[a, b, c, d]) => Parameter::Float(f32::from_be_bytes([a, b, c, d]).into()),
        (701, &[a, b, c, d, e, f, g, h]) => Parameter::Float(f64::from_be_bytes([a, b, c, d, e, f, g, h])),
        // name, text, json, bpchar, varchar: the binary format is the text.
        (19 | 25 | 114 | 1042 | 1043, value) => text(value),
        (_, value) => Parameter::Hex(Hex(value)),
    }
}
