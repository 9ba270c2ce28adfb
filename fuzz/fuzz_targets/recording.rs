//! See `curfew::record::fuzz::recording`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| curfew::record::fuzz::recording(input));
