//! Values, parameters or rows', as they may be seen.

use std::borrow::Cow;

use curfew_adapter::Parameter;

use crate::record::mask::{MASK, Masker};

/// A value as it may be seen.
enum Shown<'a> {
    Text(Cow<'a, str>),
    As(Parameter<'a>),
}

impl Shown<'_> {
    fn parameter(&self) -> Parameter<'_> {
        match self {
            Self::Text(text) => Parameter::Text(text),
            Self::As(parameter) => *parameter,
        }
    }
}

/// Calls `then` with the values as they may be seen; `secret` tells those that may not be, by their number from 0.
pub fn shown<T>(
    masker: &Masker,
    secret: impl Fn(usize) -> bool,
    given: &[Parameter<'_>],
    then: impl FnOnce(&[Parameter<'_>]) -> T,
) -> T {
    if given.iter().enumerate().all(|(n, value)| stays(masker, secret(n), value)) {
        return then(given);
    }
    let all: Vec<_> = given.iter().enumerate().map(|(n, value)| one(masker, secret(n), value)).collect();
    then(&all.iter().map(Shown::parameter).collect::<Vec<_>>())
}

fn one<'a>(masker: &Masker, secret: bool, value: &Parameter<'a>) -> Shown<'a> {
    match *value {
        Parameter::Null | Parameter::Length(_) | Parameter::Typed { .. } => Shown::As(*value),
        _ if secret => Shown::Text(Cow::Borrowed(MASK)),
        Parameter::Text(text) => Shown::Text(masker.value(text)),
        Parameter::Integer(_) | Parameter::Float(_) if masker.hides(value) => {
            Shown::Text(Cow::Borrowed(MASK))
        }
        _ => Shown::As(*value),
    }
}

fn stays(masker: &Masker, secret: bool, value: &Parameter<'_>) -> bool {
    match (one(masker, secret, value), value) {
        (Shown::As(_), _) => true,
        (Shown::Text(shown), Parameter::Text(given)) => shown == *given,
        (Shown::Text(_), _) => false,
    }
}
