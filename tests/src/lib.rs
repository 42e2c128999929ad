//! What the tests share: deterministic environments, fault-injecting stores, the real binary.

pub mod cli;
pub mod env;
pub mod faulty;
pub mod invariants;
pub mod mutant;
