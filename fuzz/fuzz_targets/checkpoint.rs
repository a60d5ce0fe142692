//! libFuzzer's door to `hostile::checkpoint`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::checkpoint::run(data));
