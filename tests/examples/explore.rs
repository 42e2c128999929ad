//! Explores every small instance of the store: see `docs/explorer.md`.
//!
//! ```sh
//! cargo run --release -p cas-tests --example explore -- [WHAT …] [--depth N] [--save FILE]
//! cargo run --release -p cas-tests --example explore -- meetings [--only TEXT] [--preemptions N] [--broken RULE]
//! cargo run --release -p cas-tests --example explore -- --replay FILE
//! ```
//!
//! WHAT is `sequences`, `repeats`, `branches`, `collections`, `schedules`, `failures` or `mutations`; all of
//! them if nothing is said. `--depth` is how many operations a sequence has at most; `--only` picks
//! the meetings of those who do this, `--preemptions` is how often at most one of them goes next
//! though another could have gone on, and `--broken` a rule of collections that is broken, as it is
//! named in `broken.rs`.

use std::error::Error;
use std::time::Instant;

use cas_tests::explore::broken::Broken;
use cas_tests::explore::failures::Failures;
use cas_tests::explore::flaw::Flawed;
use cas_tests::explore::op::Op;
use cas_tests::explore::schedules::{Scene, Tried};
use cas_tests::explore::search::{Search, Searched};
use cas_tests::explore::{collected, mutations, scenes, trace};
use cas_tests::tell;

/// How often a long search says how far it is, in seconds.
const MINUTE: f64 = 60.0;

fn main() -> Result<(), Box<dyn Error>> {
    let mut what = Vec::new();
    let (mut depth, mut save, mut met) = (5, None, Meetings::default());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "--depth" => depth = value()?.parse()?,
            "--only" => met.only = value()?,
            "--preemptions" => met.preemptions = Some(value()?.parse()?),
            "--broken" => met.broken = Some(rule(&value()?)?),
            "--save" => save = Some(value()?),
            "--replay" => return replay(&value()?),
            _ => what.push(argument),
        }
    }
    let wanted = |name: &str| what.is_empty() || what.iter().any(|what| what == name);
    let mut found = None;
    if wanted("sequences") {
        found = found.or(sequences("sequences", &Search::new(depth)));
    }
    if wanted("repeats") {
        found = found
            .or_else(|| sequences("repeats", &Search::new(depth.saturating_sub(1)).with_marks()));
    }
    if wanted("branches") {
        let search = Search::new(depth + 1).with_ops(Op::of_branches());
        found = found.or(sequences("branches", &search));
    }
    if wanted("collections") {
        found = found.or_else(|| sequences("collections", &Search::of_collections(depth)));
    }
    if wanted("schedules") {
        found = found.or_else(schedules);
    }
    if wanted("meetings") {
        found = found.or_else(|| meetings(&met));
    }
    if wanted("failures") {
        found = found.or_else(|| failures(depth.saturating_sub(3)));
    }
    if wanted("mutations") {
        found = found.or_else(hunt);
    }
    let Some(found) = found else { return Ok(()) };
    tell(&found);
    if let Some(file) = save {
        std::fs::write(file, found)?;
    }
    Err("something is wrong".into())
}

/// Seconds since some time before.
#[expect(clippy::disallowed_methods, reason = "measuring is reading the clock")]
fn stopwatch() -> impl Fn() -> f64 {
    let started = Instant::now();
    move || started.elapsed().as_secs_f64()
}

fn sequences(name: &str, search: &Search) -> Option<String> {
    let seconds = stopwatch();
    let searched = search.run(&mut |so_far: &Searched, _| {
        let all: usize = so_far.states.iter().sum();
        tell(&format!(
            "{name} of {} operations: {} new states, {all} in all, {} with a request marked, \
             {} transitions, {:.1} s",
            so_far.states.len() - 1,
            so_far.states.last().unwrap_or(&0),
            so_far.marked,
            so_far.transitions,
            seconds()
        ));
    });
    searched.found.map(|found| found.to_text())
}

fn schedules() -> Option<String> {
    let all = [
        ("pairs, every call", scenes::fine_pairs()),
        ("all pairs, calls to refs", scenes::all_pairs()),
        ("threes, calls to refs", scenes::threes(true)),
    ];
    for (name, scenes) in all {
        let seconds = stopwatch();
        let tried = scenes::try_all(&scenes);
        tell(&format!(
            "schedules, {name}: {} scenes, {} points, {} ends, up to {} calls, {:.1} s",
            scenes.len(),
            tried.points,
            tried.ends,
            tried.longest,
            seconds()
        ));
        if let Some(found) = tried.found {
            return Some(found.to_text());
        }
    }
    None
}

/// Which meetings are searched, and how.
#[derive(Default)]
struct Meetings {
    only: String,
    preemptions: Option<usize>,
    broken: Option<Broken>,
}

/// The rule of this name.
fn rule(name: &str) -> Result<Broken, String> {
    let found = Broken::ALL.into_iter().find(|rule| format!("{rule:?}") == name);
    found.ok_or_else(|| format!("{name} is none of {:?}", Broken::ALL))
}

fn meetings(Meetings { only, preemptions, broken }: &Meetings) -> Option<String> {
    for scene in collected::twos().into_iter().chain(collected::long()) {
        let (said, seconds) = (scene.said(), stopwatch());
        if !said.contains(only) {
            continue;
        }
        let flaw = broken.map(Flawed::Collection);
        let scene = Scene { preemptions: *preemptions, flaw, ..scene };
        let mut told = 0.0;
        let Tried { points, ends, longest, found, .. } = scene.run_telling(&mut |so_far, left| {
            let seconds = seconds();
            if seconds - told >= MINUTE {
                told = seconds;
                let Tried { points, ends, .. } = so_far;
                tell(&format!(
                    "… {points} points, {ends} ends, {left:?} left to try, {seconds:.0} s"
                ));
            }
        });
        let seconds = seconds();
        let bounded = preemptions.map(|most| format!(", at most {most} preemptions"));
        let bounded = bounded.unwrap_or_default();
        tell(&format!(
            "{said}: {points} points, {ends} ends, up to {longest} calls{bounded}, {seconds:.1} s"
        ));
        if let Some(found) = found {
            return Some(found.to_text());
        }
    }
    None
}

fn failures(depth: usize) -> Option<String> {
    let seconds = stopwatch();
    let states = Search::new(depth).reach();
    let failed = Failures::of(Op::all()).run(&states);
    tell(&format!(
        "failures of the last of {} operations: {} states, {} failures, {:.1} s",
        depth + 1,
        states.len(),
        failed.runs,
        seconds()
    ));
    failed.found.map(|found| found.to_text())
}

fn hunt() -> Option<String> {
    let mut missed = None;
    let collections = Broken::ALL.into_iter().map(mutations::hunt_collection);
    for hunted in collections.chain(mutations::hunt_all()) {
        let length = hunted.found.map_or_else(|| "NOT FOUND".to_owned(), |found| found.length);
        tell(&format!("{:?}, {} -> {length}", hunted.flaw, hunted.flaw.breaks()));
        let harmless = |rule: Broken| hunted.flaw == Flawed::Collection(rule);
        if length == "NOT FOUND" && !Broken::HARMLESS.into_iter().any(harmless) {
            missed = Some(format!("# {:?} is not found\n", hunted.flaw));
        }
    }
    missed
}

fn replay(file: &str) -> Result<(), Box<dyn Error>> {
    let found = trace::replay(&std::fs::read_to_string(file)?, &mut |step, found| {
        let lines: String = found.iter().map(|what| format!("\n    {what}")).collect();
        tell(&format!("{step}{lines}"));
    })?;
    if found.is_empty() { Ok(()) } else { Err("something is wrong".into()) }
}
