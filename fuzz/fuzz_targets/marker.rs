#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cas_tests::fuzzed::check("marker", bytes));
