//! What a local store acknowledged is there after a power cut, at whatever moment it comes and
//! whatever of what was not synced is on the disk.
//!
//! A run of commands is recorded, call by call (`cas_tests::power`). For every moment of it, folders
//! are made as a cut may leave them. In each, everything that was acknowledged must read back right,
//! nothing that is visible may be damaged, and the command that was cut must succeed when it is run
//! again.

mod checks;
mod commands;
mod seam;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use cas_core::store::record::Call;
use cas_tests::power::{Disk, Event, Image, Recording, distinct, scratch, write};
use cas_tests::tell;

use checks::Promise;
use commands::{COMMANDS, Materials};

/// How many folders are made at random for each moment, beside the systematic ones.
const RANDOM: usize = 2;

/// A run of all commands, as it was recorded.
struct Run {
    materials: Materials,
    events: Vec<Event>,
    /// What was promised when so many commands were done.
    promises: Vec<Promise>,
}

impl Run {
    async fn new() -> Self {
        let (materials, home) = (Materials::new().await, scratch());
        let recording = Arc::new(Recording::default());
        let mut promises = vec![Promise::default()];
        for (nth, command) in COMMANDS.iter().enumerate() {
            let process = u32::try_from(nth).unwrap() + 1;
            command.run(&materials, home.path(), &recording, process).await.unwrap();
            recording.done(nth + 1);
            promises.push(Promise::of(home.path()).await);
        }
        // The disk that is replayed is the disk that was written.
        let mut disk = Disk::default();
        recording.calls().iter().for_each(|call| disk.apply(call));
        assert_eq!(disk.now(), image_of(home.path()));
        Self { materials, events: recording.events(), promises }
    }

    /// What must hold while the command after the first `done` runs.
    fn promise(&self, done: usize) -> Promise {
        match self.promises.get(done + 1) {
            Some(next) => self.promises[done].while_becoming(next),
            None => self.promises[done].clone(),
        }
    }

    /// Faults in what cuts leave of `events`: the first few, and how many folders were looked at.
    async fn faults(&self, events: &[Event], random: usize) -> (Vec<String>, usize) {
        let (mut disk, mut done, mut looked) = (Disk::default(), 0, 0);
        let (mut seen, mut faults) = (BTreeSet::new(), Vec::new());
        for (nth, event) in events.iter().enumerate() {
            match event {
                Event::Call(call) => disk.apply(call),
                // What was promised before may be the same folder, and not be enough any more.
                Event::Done(commands) => (done, seen) = (*commands, BTreeSet::new()),
            }
            let promise = self.promise(done);
            // Right before a sync, and at the end of a command, the most is not synced yet.
            let thorough = match events.get(nth + 1) {
                Some(Event::Call(call)) => {
                    matches!(call, Call::SyncFile(_) | Call::SyncFolder(_) | Call::SyncAll)
                }
                Some(Event::Done(_)) | None => true,
            };
            for image in distinct(disk.cuts(thorough, random, nth as u64), &mut seen) {
                let found = self.look(&image, &promise, done).await;
                faults.extend(found.into_iter().map(|fault| {
                    let command = COMMANDS.get(done);
                    format!("cut in {command:?} after {nth}, {event:?}: {fault}")
                }));
                looked += 1;
            }
            if faults.len() >= 3 {
                break;
            }
        }
        (faults, looked)
    }

    /// What is wrong in one folder, and with running the command again there.
    async fn look(&self, image: &Image, promise: &Promise, done: usize) -> Vec<String> {
        let home = scratch();
        write(image, home.path()).unwrap();
        let mut faults = promise.faults(home.path()).await;
        let Some(command) = COMMANDS.get(done) else { return faults };
        let again = Arc::default();
        match command.run(&self.materials, home.path(), &again, 100).await {
            Ok(()) => {
                let found = self.promises[done + 1].content().faults(home.path()).await;
                faults.extend(found.iter().map(|fault| format!("run again: {fault}")));
            }
            Err(error) => faults.push(format!("run again: {error}")),
        }
        faults
    }
}

/// What is in a folder.
fn image_of(root: &Path) -> Image {
    let mut image = Image::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let content = path.is_file().then(|| std::fs::read(&path).unwrap());
            if content.is_none() {
                waiting.push(path);
            }
            image.insert(name, content);
        }
    }
    image
}

#[tokio::test]
async fn invariant_certain_what_was_acknowledged_survives_a_power_cut() {
    let run = Run::new().await;
    let (faults, looked) = run.faults(&run.events, RANDOM).await;
    assert_eq!(faults, [""; 0]);
    tell(&format!("power cuts: {} calls, {looked} folders", run.events.len()));
    assert!(looked > 200, "{looked}");
}

/// A command is killed while the power is on, run again, and then the power goes: what the second
/// run found and relied on was never synced by the first.
#[tokio::test]
async fn invariant_certain_what_a_killed_command_left_is_synced_by_whoever_relies_on_it() {
    let run = Run::new().await;
    let (mut disk, mut done) = (Disk::default(), 0);
    let mut seen = BTreeSet::new();
    let mut faults = Vec::new();
    for (nth, event) in run.events.iter().enumerate() {
        match event {
            Event::Call(call) => disk.apply(call),
            Event::Done(commands) => done = *commands,
        }
        let Some(command) = COMMANDS.get(done) else { break };
        if distinct(vec![disk.now()], &mut seen).is_empty() {
            continue;
        }
        let home = scratch();
        write(&disk.now(), home.path()).unwrap();
        let again = Arc::new(Recording::default());
        command.run(&run.materials, home.path(), &again, 100).await.unwrap();
        let promise = Promise::of(home.path()).await;
        let mut after = disk.clone();
        again.calls().iter().for_each(|call| after.apply(call));
        for image in distinct(after.cuts(false, 1, nth as u64), &mut BTreeSet::new()) {
            let left = scratch();
            write(&image, left.path()).unwrap();
            let found = promise.faults(left.path()).await;
            faults.extend(found.iter().map(|fault| {
                format!("{command:?} killed after {nth}, {event:?}, run again, cut: {fault}")
            }));
        }
        if faults.len() >= 5 {
            break;
        }
    }
    assert_eq!(faults, [""; 0]);
}

/// The same run on a disk that does not do what `keep` refuses.
async fn faults_without(run: &Run, keep: impl Fn(&Call) -> bool) -> Vec<String> {
    let kept = |event: &&Event| match event {
        Event::Call(call) => keep(call),
        Event::Done(_) => true,
    };
    let events: Vec<_> = run.events.iter().filter(kept).cloned().collect();
    assert!(events.len() < run.events.len(), "nothing was left out");
    run.faults(&events, 0).await.0
}

#[tokio::test]
async fn catches_a_store_that_leaves_out_a_kind_of_sync() {
    let run = Run::new().await;
    let of_files = |call: &Call| !matches!(call, Call::SyncFile(_));
    let of_folders = |call: &Call| !matches!(call, Call::SyncFolder(_));
    let of_all = |call: &Call| !matches!(call, Call::SyncAll);
    let of_root = |call: &Call| *call != Call::SyncFolder(String::new());
    let of_shards = |call: &Call| match call {
        Call::SyncFolder(path) => !path.starts_with("blobs/"),
        _ => true,
    };
    let of_logs = |call: &Call| match call {
        Call::SyncFolder(path) => !path.starts_with("refs/book/"),
        _ => true,
    };
    assert_ne!(faults_without(&run, of_files).await, [""; 0], "contents of files");
    assert_ne!(faults_without(&run, of_folders).await, [""; 0], "names in folders");
    assert_ne!(faults_without(&run, of_all).await, [""; 0], "many at once");
    assert_ne!(faults_without(&run, of_root).await, [""; 0], "names in the store's folder");
    assert_ne!(faults_without(&run, of_shards).await, [""; 0], "names of objects");
    assert_ne!(faults_without(&run, of_logs).await, [""; 0], "names of entries");
}

/// Names before contents: what every file system may do by itself unless it is asked not to.
#[tokio::test]
async fn catches_a_store_that_syncs_contents_only_after_it_gave_names() {
    let run = Run::new().await;
    let (mut events, mut held) = (Vec::new(), Vec::new());
    for event in &run.events {
        match event {
            Event::Call(Call::SyncFile(_)) => held.push(event.clone()),
            Event::Call(Call::SyncFolder(_)) | Event::Done(_) => {
                // A file that has its name by now has no other, so all are synced.
                if !held.is_empty() {
                    held.clear();
                    events.push(Event::Call(Call::SyncAll));
                }
                events.push(event.clone());
            }
            Event::Call(_) => events.push(event.clone()),
        }
    }
    assert_ne!(run.faults(&events, 0).await.0, [""; 0]);
}
