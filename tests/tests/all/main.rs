//! One binary for all tests that span the crates, so that linking stays quick.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod local_store;
