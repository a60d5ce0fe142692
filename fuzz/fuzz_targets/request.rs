//! libFuzzer's door to `hostile::request`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::request::run(data));
