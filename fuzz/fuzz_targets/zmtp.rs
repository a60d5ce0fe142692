//! libFuzzer's door to `hostile::zmtp`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::zmtp::run(data));
