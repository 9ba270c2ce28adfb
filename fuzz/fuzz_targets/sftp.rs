//! See `curfew_ssh::fuzz::sftp`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| curfew_ssh::fuzz::sftp(input));
