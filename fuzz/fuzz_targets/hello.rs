//! libFuzzer's door to `hostile::hello`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::hello::run(data));
