//! Numbers: `numeric` (`numeric_send` in numeric.c), and floats in the shortest form (`float8out` in float.c).

use crate::codec::Cursor;
use std::fmt::Write;

/// Zeros that a number may have beyond the digits that it brings: eight bytes may stand for a hundred thousand.
const ZEROS: i32 = 400;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const MINUS_INFINITY: u16 = 0xf000;

/// Appends a `numeric`.
pub fn write(mut value: Cursor<'_>, out: &mut String) -> Option<()> {
    let mut word = || value.count().ok().and_then(|word| u16::try_from(word).ok());
    let (count, weight, sign, scale) = (word()?, word()?.cast_signed(), word()?, word()?);
    match sign {
        0 => {}
        NEGATIVE => out.push('-'),
        NAN => out.push_str("NaN"),
        INFINITY => out.push_str("Infinity"),
        MINUS_INFINITY => out.push_str("-Infinity"),
        _ => return None,
    }
    if sign > NEGATIVE {
        return Some(());
    }
    let digits = value.take(usize::from(count) * 2).ok()?;
    value.end().ok()?;
    let (weight, brought) = (i32::from(weight), 4 * i32::from(count));
    if 4 * (weight + 1) > brought + ZEROS || i32::from(scale) > brought + ZEROS || -4 * weight > ZEROS {
        return None;
    }
    let digit = |at: i32| {
        let at = usize::try_from(at).ok()?;
        let digit = digits
            .chunks_exact(2)
            .nth(at)
            .map_or(0, |two| two.iter().fold(0, |sum, b| sum * 256 + u16::from(*b)));
        (digit < 10_000).then_some(digit)
    };
    if weight < 0 {
        out.push('0');
    }
    for at in 0..=weight {
        let digit = digit(at)?;
        if at == 0 { write!(out, "{digit}").ok()? } else { write!(out, "{digit:04}").ok()? }
    }
    if scale == 0 {
        return Some(());
    }
    out.push('.');
    let end = out.len() + usize::from(scale);
    let mut at = weight + 1;
    while out.len() < end {
        // Before the first digit that it brings, and behind the last, there are zeros.
        write!(out, "{:04}", if at < 0 { 0 } else { digit(at)? }).ok()?;
        at += 1;
    }
    out.truncate(end);
    Some(())
}

/// Appends a float whose shortest digits are `digits` (as `{:e}` writes them; none where it is not finite). From `most`
/// digits before the point on, there is an exponent.
pub fn float(digits: Option<String>, number: f64, most: i32, out: &mut String) -> Option<()> {
    let Some(digits) = digits else {
        out.push_str(if number.is_nan() {
            "NaN"
        } else if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        });
        return Some(());
    };
    let (mantissa, exponent) = digits.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    if !(-4..most).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return write!(out, "{mantissa}e{sign}{:02}", exponent.abs()).ok();
    }
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    out.push_str(sign);
    let plain: String = mantissa.chars().filter(|c| *c != '.').collect();
    if exponent < 0 {
        out.push_str("0.");
        (1..-exponent).for_each(|_| out.push('0'));
        out.push_str(&plain);
        return Some(());
    }
    let point = usize::try_from(exponent).ok()? + 1;
    match plain.split_at_checked(point) {
        Some((whole, "")) => out.push_str(whole),
        Some((whole, fraction)) => write!(out, "{whole}.{fraction}").ok()?,
        None => {
            out.push_str(&plain);
            (plain.len()..point).for_each(|_| out.push('0'));
        }
    }
    Some(())
}
