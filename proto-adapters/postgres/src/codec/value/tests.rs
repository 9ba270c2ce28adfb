//! Values as a server sent them, and as it writes them; and values that nobody sent.
//! (tests/e2e/recording compares all of this with a live server.)

use super::*;
use proptest::prelude::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    digits
        .as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}

fn written(oid: u32, hex: &str) -> Option<String> {
    let mut out = "before ".to_owned();
    let written = write(oid, &bytes(hex), &mut out).is_some();
    let text = out.strip_prefix("before ").unwrap().to_owned();
    assert!(written || text.is_empty(), "something is left of {hex}");
    written.then_some(text)
}

#[test]
fn values_are_written_as_the_server_writes_them() {
    for (oid, hex, text) in [
        (1700, "0003 0001 0000 0002 0001 0929 0FA0", "12345.40"),
        (1700, "0001 FFFF 4000 0004 0019", "-0.0025"),
        (1700, "0000 0000 0000 0003", "0.000"),
        (1700, "0000 0000 C000 0000", "NaN"),
        (1082, "0000 0000", "2000-01-01"),
        (1082, "7FFF FFFF", "infinity"),
        (1114, "0000 0000 0000 0001", "2000-01-01 00:00:00.000001"),
        (1184, "FFFF FFFF FFFF FFFF", "1999-12-31 23:59:59.999999+00"),
        (1266, "0000 0000 0000 0000 FFFF F1F0", "00:00:00+01"),
        (1186, "0000 0000 0000 0000 0000 0000 0000 0000", "00:00:00"),
        (1186, "FFFF FFFF FFF0 BDC0 0000 0002 FFFF FFF3", "-1 years -1 mons +2 days -00:00:01"),
        (869, "02 20 00 04 0A000001", "10.0.0.1"),
        (650, "02 08 01 04 0A000000", "10.0.0.0/8"),
        (2950, "00112233 4455 6677 8899 AABBCCDDEEFF", "00112233-4455-6677-8899-aabbccddeeff"),
        (3802, "01 7B7D", "{}"),
        (17, "DEAD", "\\xdead"),
        (17, "", "\\x"),
        (1007, "00000000 00000000 00000017", "{}"),
        (1007, "00000001 00000001 00000017 00000002 00000001 00000004 00000007 FFFFFFFF", "{7,NULL}"),
        (1007, "00000001 00000000 00000017 00000001 00000000 00000004 00000007", "[0:0]={7}"),
        (
            1009,
            "00000001 00000000 00000019 00000003 00000001 00000000 00000003 612C62 00000001 78",
            "{\"\",\"a,b\",x}",
        ),
        (
            1000,
            "00000002 00000000 00000010 00000002 00000001 00000002 00000001
             00000001 01 00000001 00 00000001 00 00000001 01",
            "{{t,f},{f,t}}",
        ),
    ] {
        assert_eq!(written(oid, hex).as_deref(), Some(text), "{hex}");
    }
}

#[test]
fn what_is_not_of_its_type_is_not_guessed_at() {
    for (oid, hex) in [
        (1700, "0003 0001 0000 0002 0001"),
        (1700, "0001 0000 0000 0000 2710"),
        (1700, "0000 7FFF 0000 0000"),
        (1700, "0000 0000 0000 3FFF"),
        (1700, "0000 8001 0000 0001"),
        (1083, "FFFF FFFF FFFF FFFF"),
        (869, "02 21 00 04 0A000001"),
        (869, "03 20 00 04 0A000001"),
        (3802, "02 7B7D"),
        (25, "FF"),
        (1007, "00000001 00000000 00000017 7FFFFFFF 00000001 00000004 00000007"),
        (1007, "00000007 00000000 00000017"),
        (1007, "00000001 00000000 000003E8 00000001 00000001 00000004 00000007"),
        (600, "00"),
        (0, "00"),
    ] {
        assert_eq!(written(oid, hex), None, "{oid}: {hex}");
    }
}

#[test]
fn types_have_their_names() {
    assert_eq!(name(23).to_string(), "int4");
    assert_eq!(name(1009).to_string(), "text[]");
    assert_eq!(name(0).to_string(), "unknown");
    assert_eq!(name(16_405).to_string(), "type 16405");
}

#[test]
fn floats_have_their_shortest_digits() {
    for (number, text) in [
        (0.1, "0.1"),
        (1e15, "1e+15"),
        (123_456.75, "123456.75"),
        (-1e-5, "-1e-05"),
        (0.000_12, "0.00012"),
        (100.0, "100"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        let mut out = String::new();
        scalar(Kind::Float8, &f64::to_be_bytes(number), &mut out).unwrap();
        assert_eq!(out, text);
    }
}

proptest! {
    #[test]
    fn no_value_panics_or_becomes_much_longer(
        kind in 0..TYPES.len(),
        many in any::<bool>(),
        value in proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(0xff), any::<u8>()], 0..80),
    ) {
        let (one, array, ..) = TYPES[kind];
        let mut out = String::new();
        let _ = write(if many { array } else { one }, &value, &mut out);
        prop_assert!(out.len() <= 16 * value.len() + 1000, "{} bytes become {}", value.len(), out.len());
    }
}
