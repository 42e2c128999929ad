//! One binary for all tests that span the crates, so that linking stays quick.

mod books;
mod codec_properties;
mod crash;
mod format;
mod limits;
mod race;
