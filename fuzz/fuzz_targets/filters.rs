//! libFuzzer's door to `hostile::filters`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::filters::run(data));
