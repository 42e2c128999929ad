//! The fuzz targets without a fuzzer: every seed, and a few thousand changes of each, always the
//! same ones.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use cas_tests::fuzzed::{Mutations, TARGETS, Target, seeds};

/// Runs a target on inputs until it fails, and says on which.
fn run<'a>(target: &Target, inputs: impl Iterator<Item = (String, &'a [u8])>) -> Option<String> {
    for (what, bytes) in inputs {
        if catch_unwind(AssertUnwindSafe(|| (target.check)(bytes))).is_err() {
            return Some(format!("{} on {what}: {}", target.name, bytes.escape_ascii()));
        }
    }
    None
}

#[test]
fn every_seed_holds() {
    let mut failures = Vec::new();
    for target in TARGETS {
        let seeds = seeds(target.name);
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        failures.extend(run(target, seeds.iter().map(|seed| (seed.name.clone(), &*seed.bytes))));
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn every_changed_seed_holds() {
    let mut failures = Vec::new();
    for target in TARGETS {
        let seeds = seeds(target.name);
        let changed: Vec<_> = Mutations::new(&seeds, 0).take(target.mutations).collect();
        assert_eq!(changed.len(), target.mutations, "{}", target.name);
        let named = changed.iter().enumerate();
        failures.extend(run(target, named.map(|(nth, bytes)| (format!("change {nth}"), &**bytes))));
        // They are changes, and not the same one again and again.
        let distinct: BTreeSet<_> = changed.iter().collect();
        assert!(distinct.len() > target.mutations / 4, "{}: {}", target.name, distinct.len());
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn catches_a_target_that_does_not_hold() {
    let check = |bytes: &[u8]| assert!(!bytes.contains(&0xff), "meant to fail");
    let target = Target { name: "short", check, mutations: 100 };
    let seeds = seeds("tree");
    let changed: Vec<_> = Mutations::new(&seeds, 0).take(target.mutations).collect();
    let named = |bytes: &[Vec<u8>]| {
        run(&target, bytes.iter().map(|bytes| (String::from("change"), &**bytes)))
    };
    assert!(named(&changed).is_some(), "no change has the byte");
    assert!(named(&changed[..0]).is_none());
}

/// The two lists of targets, that of the assertions and that of the programs, are one.
#[test]
fn every_target_has_a_program_and_seeds_and_nothing_else_has() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let names = |folder: &str| -> BTreeSet<String> {
        let files = std::fs::read_dir(fuzz.join(folder)).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.map(|name| name.trim_end_matches(".rs").to_owned()).collect()
    };
    let targets: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(targets.len(), TARGETS.len());
    assert!(TARGETS.is_sorted_by(|a, b| a.name < b.name));
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("seeds"), targets);
    for name in &targets {
        let program = fuzz.join("fuzz_targets").join(format!("{name}.rs"));
        let text = std::fs::read_to_string(program).unwrap();
        assert!(text.contains(&format!("check(\"{name}\", bytes)")), "{name}: {text}");
    }
    let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for name in &targets {
        assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name} is not built");
    }
}
