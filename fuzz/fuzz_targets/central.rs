//! libFuzzer's door to `hostile::central`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::central::run(data));
