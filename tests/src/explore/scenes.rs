//! Who meets whom: the operations that are done at once.

use super::flaw::Flawed;
use super::gate::Grain;
use super::schedules::{Scene, Tried};

/// Where processes begin: `main` has a page, `users/a` follows it and has another, `users/b`
/// followed it and is deleted.
pub const BEFORE: [&str; 5] = [
    "ada puts A at x/one.md in main",
    "bob creates users/a from main",
    "ada puts A at y/two.md in users/a",
    "bob creates users/b from main",
    "ada deletes users/b",
];

/// What meets everything, itself included.
const WIDE: [&str; 16] = [
    "puts B at x/one.md in main if A",
    "puts A at y/two.md in main if absent",
    "removes x/one.md in main",
    "removes y/two.md in main",
    "puts B at y/two.md in users/a if A",
    "removes y/two.md in users/a if A",
    "merges users/a into main",
    "syncs users/a",
    "deletes users/a",
    "restores users/b",
    "creates users/b from main",
    "resets main",
    "resets users/a",
    "tags main",
    "reads main",
    "reads users/a",
];

/// Pairs of which every call waits, also those to objects. What repeats the sixth step is the
/// request of the first of the two, sent twice at once.
const FINE: [[&str; 2]; 8] = [
    ["ada puts B at x/one.md in main if A", "bob puts A at y/two.md in main"],
    ["ada puts B at x/one.md in main if A", "bob removes x/one.md in main if A"],
    ["ada puts B at x/one.md in main if A", "bob repeats 6"],
    ["ada puts B at x/one.md in main if A", "bob reads main"],
    ["ada merges users/a into main", "bob puts B at x/one.md in main if A"],
    ["ada merges users/a into main", "bob syncs users/a"],
    ["ada syncs users/a", "bob puts B at y/two.md in users/a if A"],
    ["ada creates users/b from main", "bob restores users/b"],
];

/// Threes of which calls to refs wait.
const THREES: [[&str; 3]; 4] = [
    ["ada puts B at x/one.md in main if A", "bob puts A at y/two.md in main", "ada reads main"],
    ["ada creates users/b from main", "bob restores users/b", "ada deletes users/b"],
    ["ada deletes users/a", "bob puts B at y/two.md in users/a if A", "ada reads users/a"],
    ["ada tags main", "bob tags users/a", "bob deletes tags/t"],
];

/// Threes that take longer.
const LONG_THREES: [[&str; 3]; 4] = [
    [
        "ada puts B at x/one.md in main if A",
        "bob removes x/one.md in main if A",
        "bob puts A at y/two.md in main",
    ],
    ["ada puts B at x/one.md in main if A", "bob repeats 6", "bob puts A at y/two.md in main"],
    [
        "ada merges users/a into main",
        "bob puts B at x/one.md in main if A",
        "ada puts A at y/two.md in main",
    ],
    [
        "ada syncs users/a",
        "bob puts B at y/two.md in users/a if A",
        "ada puts B at x/one.md in main if A",
    ],
];

/// Pairs of which every call waits.
pub fn fine_pairs() -> Vec<Scene> {
    FINE.iter().map(|steps| Scene::after(&BEFORE, steps, Grain::Fine)).collect()
}

/// Every two of all that can be done to refs, by two people; calls to refs wait.
pub fn all_pairs() -> Vec<Scene> {
    let mut scenes = Vec::new();
    for (at, one) in WIDE.iter().enumerate() {
        for other in &WIDE[at..] {
            let steps = [format!("ada {one}"), format!("bob {other}")];
            let steps = steps.each_ref().map(String::as_str);
            scenes.push(Scene::after(&BEFORE, &steps, Grain::Refs));
        }
    }
    scenes
}

/// Three at once; with `long` also those that take minutes.
pub fn threes(long: bool) -> Vec<Scene> {
    let long = if long { &LONG_THREES[..] } else { &[] };
    let all = THREES.iter().chain(long);
    all.map(|steps| Scene::after(&BEFORE, steps, Grain::Refs)).collect()
}

/// Two writers that want something else of one page, with a flaw.
pub fn flawed(flaw: Flawed) -> Scene {
    let steps = ["ada puts B at x/one.md in main if A", "bob removes x/one.md in main if A"];
    let scene = Scene::after(&BEFORE, &steps, Grain::Fine);
    Scene { flaw: Some(flaw), ..scene }
}

/// Tries all schedules of some scenes, one after the other, until something is wrong.
pub fn try_all(scenes: &[Scene]) -> Tried {
    let mut all = Tried::default();
    for scene in scenes {
        let tried = scene.run();
        all.points += tried.points;
        all.ends += tried.ends;
        all.longest = all.longest.max(tried.longest);
        all.found = tried.found;
        if all.found.is_some() {
            break;
        }
    }
    all
}
