//! libFuzzer's door to `hostile::op`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::op::run(data));
