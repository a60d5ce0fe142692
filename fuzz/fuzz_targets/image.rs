//! libFuzzer's door to `hostile::image`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::image::run(data));
