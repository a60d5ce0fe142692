//! libFuzzer's door to `hostile::gossip`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::gossip::run(data));
