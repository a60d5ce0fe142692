//! libFuzzer's door to `hostile::chunk_list`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::chunk_list::run(data));
