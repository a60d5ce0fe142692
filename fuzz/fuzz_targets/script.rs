//! libFuzzer's door to `hostile::script`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::script::run(data));
