//! See `curfew_postgres::fuzz::backend`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| curfew_postgres::fuzz::backend(input));
