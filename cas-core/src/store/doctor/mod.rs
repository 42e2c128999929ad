//! Proving a bucket before anything is trusted to it.
//!
//! Refs rest on put-if-absent alone, and several servers accept its condition and ignore it, or
//! check and write in two steps so that racing writers all win. Neither shows in daily use: it
//! shows as a lost change, later. So the real bucket is asked, in the way it will be used.
//!
//! Everything is written below one folder of random name under [`layout::PROOFS`], and removed at
//! the end.

mod checks;

use std::time::Duration;

use object_store::path::Path as Key;

use super::{Bucket, StoreError, layout};
use crate::env::Env;

use checks::Proof;

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Examination {
    /// What a store's safety rests on: before one is made.
    Safety,
    /// Everything, with measurements.
    Full,
}

/// What a bucket was asked, and what came of it.
#[derive(Debug, Clone)]
pub struct Findings {
    /// Every check, in order.
    pub checks: Vec<Check>,
    /// How quick the bucket is; only of a full examination that went well.
    pub measured: Option<Measured>,
}

/// One thing that a bucket must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it is.
    pub name: &'static str,
    /// Whether data could be lost without it.
    pub is_safety: bool,
    /// What came of it.
    pub finding: Finding,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It does, as this says.
    Passed(String),
    /// It does not.
    Failed {
        /// What it did instead.
        reason: String,
        /// Who is known for it, or what may be done.
        hint: Option<&'static str>,
    },
}

/// How quick a bucket is, in medians.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// From asking for a small object to having it.
    pub read: Duration,
    /// From sending a small object to knowing that it is kept.
    pub write: Duration,
    /// Of one large object, in bytes a second.
    pub upload_bytes_per_second: f64,
    /// Of one large object, in bytes a second.
    pub download_bytes_per_second: f64,
}

impl Findings {
    /// Why the bucket must not hold a store that several may write to; `None` if it may.
    pub fn danger(&self) -> Option<&str> {
        self.checks.iter().find_map(|check| match &check.finding {
            Finding::Failed { reason, .. } if check.is_safety => Some(reason.as_str()),
            _ => None,
        })
    }

    /// Whether everything is as it should be.
    pub fn is_good(&self) -> bool {
        self.checks.iter().all(|check| matches!(check.finding, Finding::Passed(_)))
    }
}

/// Asks `bucket` everything that a store needs of it. `tell` hears of each check before it runs.
///
/// An error means that nothing could be asked at all, for example for want of credentials; what a
/// bucket does wrong is in the findings.
pub async fn examine(
    bucket: &Bucket,
    env: &Env,
    examination: Examination,
    tell: &(dyn Fn(&'static str) + Sync),
) -> Result<Findings, StoreError> {
    let name = u128::from_be_bytes(env.entropy.bytes());
    let folder = Key::from(format!("{}/{name:032x}", layout::PROOFS));
    let proof = Proof::new(bucket.clone(), folder, env.clone());
    let findings = proof.run(examination, tell).await;
    proof.clean().await;
    findings
}
