//! One binary for all tests that span the crates, so that linking stays quick.

mod codec_properties;
mod format;
