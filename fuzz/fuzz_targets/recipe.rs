//! libFuzzer's door to `hostile::recipe`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::recipe::run(data));
