//! One binary for all tests that span the crates, so that linking stays quick.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod local_store;
#[cfg(test)]
mod ref_faults;
#[cfg(test)]
mod ref_mutants;
#[cfg(test)]
mod ref_races;
#[cfg(test)]
mod world;
