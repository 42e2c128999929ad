//! When two states are the same: whatever can be done in one comes to the same in the other.
//!
//! What counts is where refs are, what they follow, the versions behind them with their parents, and
//! the one request that is to be sent again. When it was, by whom, and by which request else does not.
//! Nor do names: pages, the two texts of each and the two personal branches may be exchanged, which
//! leaves one of sixteen states. Where collections are among what can be done it also counts which
//! objects there are, how old they are, and which of them are condemned.

use std::collections::BTreeMap;

use super::aged::Aged;
use super::checks::{Content, Ids};
use super::model::{Model, Number, Version, Wish};
use super::op::{Belief, Op};
use super::scope::{Name, Page, Text};
use super::things::Thing;

/// Tells states apart.
pub type Digest = u128;

/// The digest of a state, the same for all that differ in names alone. `marked` is the request that
/// is to be sent again, which counts.
pub fn digest(model: &Model, marked: Option<&Wish>) -> Digest {
    let all = (0..16).map(|bits| Renaming(bits).write(model, marked));
    hash(&all.min().unwrap_or_default())
}

/// The digest of a state with its names.
pub fn exact_digest(model: &Model, marked: Option<&Wish>) -> Digest {
    hash(&Renaming(0).write(model, marked))
}

/// The digest of a state where time counts, with its names.
pub fn aged_digest(model: &Model, ids: &Ids, aged: &Aged, content: &Content) -> Digest {
    let renaming = Renaming(0);
    let mut written = Written::new(renaming, model);
    let mut bytes = renaming.write_refs(&mut written);
    for log in model.refs.values() {
        let left = log.iter().rev().nth(1).and_then(|movement| movement.target);
        bytes.push(left.map_or(u8::MAX, |left| written.number(left)));
    }
    bytes.extend(aged.write(content, model, ids, &mut |thing| renaming.thing(thing, &mut written)));
    bytes.extend(written.versions.into_iter().flatten());
    hash(&bytes)
}

fn hash(bytes: &[u8]) -> Digest {
    let mut digest = [0; 16];
    digest.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    Digest::from_be_bytes(digest)
}

/// One way to exchange names: a bit for the branches, for the pages, and for the texts of each.
#[derive(Debug, Clone, Copy)]
struct Renaming(u8);

impl Renaming {
    const fn has(self, bit: u8) -> bool {
        self.0 >> bit & 1 == 1
    }

    const fn name(self, name: Name) -> Name {
        match name {
            Name::A if self.has(0) => Name::B,
            Name::B if self.has(0) => Name::A,
            other => other,
        }
    }

    const fn page(self, page: Page) -> Page {
        match page {
            Page::One if self.has(1) => Page::Two,
            Page::Two if self.has(1) => Page::One,
            page => page,
        }
    }

    /// A text of `page`, as it is called before renaming, as a digit.
    fn text(self, page: Page, text: Option<Text>) -> u8 {
        let other = self.has(if matches!(page, Page::One) { 2 } else { 3 });
        text.map_or(0, |text| 1 + u8::from((text == Text::A) == other))
    }

    /// What the page that is called `page` after renaming says.
    fn said(self, version: &Version, page: Page) -> u8 {
        // Exchanging is its own inverse.
        let page = self.page(page);
        self.text(page, version.files.get(&page).copied())
    }

    /// An operation that can be marked.
    fn op(self, op: Op) -> Vec<u8> {
        match op {
            Op::Edit { branch, page, put, belief } => {
                let belief = match belief {
                    Belief::Unsaid => u8::MAX,
                    Belief::Absent => 0,
                    Belief::Says(text) => self.text(page, Some(text)),
                };
                let (branch, named) = (self.name(branch) as u8, self.page(page) as u8);
                vec![0, branch, named, self.text(page, put), belief]
            }
            Op::Create { name, from } => vec![1, self.name(name) as u8, self.name(from) as u8],
            Op::Merge { from, into } => vec![2, self.name(into) as u8, self.name(from) as u8],
            Op::Delete(name) => vec![3, self.name(name) as u8],
            Op::Restore(name) => vec![4, self.name(name) as u8],
            Op::Reset(name) => vec![5, self.name(name) as u8],
            Op::Sync(name) => vec![6, self.name(name) as u8],
            Op::Tag(name) => vec![7, self.name(name) as u8],
            Op::Undo(name) => vec![8, self.name(name) as u8],
            Op::Read(_) | Op::Repeat(_) | Op::Wait | Op::Collect { .. } | Op::Cancel => Vec::new(),
        }
    }

    /// An object.
    fn thing(self, thing: &Thing, written: &mut Written<'_>) -> Vec<u8> {
        match thing {
            Thing::Blob(page, text) => {
                vec![0, self.page(*page) as u8, self.text(*page, Some(*text))]
            }
            Thing::Folder(page, text) => {
                vec![1, self.page(*page) as u8, self.text(*page, Some(*text))]
            }
            Thing::Root(files) => {
                let said = |page| {
                    let page = self.page(page);
                    self.text(page, files.get(&page).copied())
                };
                vec![2, said(Page::One), said(Page::Two)]
            }
            Thing::Commit(number) => vec![3, written.number(*number), 0],
        }
    }

    /// Everything that counts, in an order that does not depend on how it came to be.
    fn write(self, model: &Model, marked: Option<&Wish>) -> Vec<u8> {
        let mut written = Written::new(self, model);
        let mut bytes = self.write_refs(&mut written);
        if let Some(wish) = marked {
            bytes.extend(self.op(wish.op));
            bytes.push(wish.version.map_or(u8::MAX, |version| written.number(version)));
            // What it made is what it is answered with.
            let logs = model.refs.values().flatten();
            let made = logs.filter(|movement| movement.request == Some(wish.request));
            for target in made.map(|movement| movement.target) {
                bytes.push(target.map_or(u8::MAX, |target| written.number(target)));
            }
        }
        bytes.extend(written.versions.into_iter().flatten());
        bytes
    }

    /// Where refs are and what they follow.
    fn write_refs(self, written: &mut Written<'_>) -> Vec<u8> {
        let model = written.model;
        let mut bytes = Vec::new();
        for place in Name::ALL {
            // Exchanging is its own inverse: what is called `place` now was called this.
            let Some(log) = model.refs.get(&self.name(place)) else {
                bytes.push(0);
                continue;
            };
            let live = log.last().is_some_and(|movement| movement.target.is_some());
            bytes.push(if live { 1 } else { 2 });
            let last = log.iter().rev().find_map(|movement| movement.target);
            bytes.push(last.map_or(u8::MAX, |last| written.number(last)));
            let follows = log.last().and_then(|movement| movement.follows);
            match follows {
                None => bytes.push(u8::MAX),
                Some((name, base)) => bytes.extend([self.name(name) as u8, written.number(base)]),
            }
        }
        bytes
    }
}

/// Versions in the order in which they are met.
struct Written<'a> {
    renaming: Renaming,
    model: &'a Model,
    numbers: BTreeMap<Number, u8>,
    versions: Vec<Vec<u8>>,
}

impl<'a> Written<'a> {
    const fn new(renaming: Renaming, model: &'a Model) -> Self {
        Self { renaming, model, numbers: BTreeMap::new(), versions: Vec::new() }
    }

    fn number(&mut self, version: Number) -> u8 {
        // Parents have smaller numbers than what came of them: the way back ends.
        if let Some(number) = self.numbers.get(&version) {
            return *number;
        }
        let number = u8::try_from(self.versions.len()).unwrap_or(u8::MAX);
        self.numbers.insert(version, number);
        self.versions.push(Vec::new());
        let found = &self.model.versions[version];
        let mut bytes = Page::ALL.map(|page| self.renaming.said(found, page)).to_vec();
        for parent in &found.parents {
            let parent = self.number(*parent);
            bytes.push(parent);
        }
        bytes.push(u8::MAX);
        self.versions[usize::from(number)] = bytes;
        number
    }
}

#[cfg(test)]
mod tests {
    use super::super::op::Step;
    use super::*;

    /// The model after these lines.
    fn after(lines: &[&str]) -> Model {
        let mut model = Model::new();
        for (at, line) in lines.iter().enumerate() {
            let Step { who, op } = Step::parse(line).unwrap();
            let version = model.named(op);
            model.apply(&Wish { op, who, request: at + 1, version });
        }
        model
    }

    #[test]
    fn names_do_not_count_and_what_happened_does() {
        let one = after(&["ada creates users/a from main", "ada puts A at x/one.md in users/a"]);
        let other = after(&["bob creates users/b from main", "bob puts B at y/two.md in users/b"]);
        assert_eq!(digest(&one, None), digest(&other, None));
        let on_main = after(&["ada creates users/a from main", "ada puts A at x/one.md in main"]);
        assert_ne!(digest(&one, None), digest(&on_main, None));
        let twice = after(&[
            "ada creates users/a from main",
            "ada puts A at x/one.md in users/a",
            "ada puts B at x/one.md in users/a if A",
        ]);
        assert_ne!(digest(&one, None), digest(&twice, None));
        assert_ne!(digest(&Model::new(), None), digest(&after(&["ada deletes main"]), None));
        assert_eq!(
            Op::all().len(),
            Op::all().iter().collect::<std::collections::BTreeSet<_>>().len()
        );
    }

    /// Two commits that say the same are not one commit.
    #[test]
    fn versions_count_by_what_they_came_of() {
        let fork = "ada creates users/a from main";
        let same =
            after(&[fork, "ada puts A at x/one.md in users/a", "ada merges users/a into main"]);
        let twins =
            after(&[fork, "ada puts A at x/one.md in users/a", "ada puts A at x/one.md in main"]);
        assert_ne!(digest(&same, None), digest(&twins, None));
    }
}
