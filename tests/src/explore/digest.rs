//! When two states are the same: whatever can be done in one comes to the same in the other.
//!
//! What counts is where refs are, what they follow, and the versions behind them with their
//! parents. When it was, by whom, and by which request does not. Nor do names: pages, the two texts
//! of each and the two personal branches may be exchanged, which leaves one of sixteen states.

use std::collections::BTreeMap;

use super::model::{Model, Number, Version};
use super::scope::{Name, Page, Text};

/// Tells states apart.
pub type Digest = u128;

/// The digest of a state, the same for all that differ in names alone.
pub fn digest(model: &Model) -> Digest {
    hash(&(0..16).map(|bits| Renaming(bits).write(model)).min().unwrap_or_default())
}

/// The digest of a state with its names.
pub fn exact_digest(model: &Model) -> Digest {
    hash(&Renaming(0).write(model))
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

    /// What the page that is called `page` after renaming says, as a digit.
    fn said(self, version: &Version, page: Page) -> u8 {
        let page = match page {
            Page::One if self.has(1) => Page::Two,
            Page::Two if self.has(1) => Page::One,
            page => page,
        };
        let other = self.has(if page == Page::One { 2 } else { 3 });
        match version.files.get(&page) {
            None => 0,
            Some(text) => 1 + u8::from((*text == Text::A) == other),
        }
    }

    /// Everything that counts, in an order that does not depend on how it came to be.
    fn write(self, model: &Model) -> Vec<u8> {
        let mut written =
            Written { renaming: self, model, numbers: BTreeMap::new(), versions: Vec::new() };
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
        bytes.extend(written.versions.into_iter().flatten());
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

impl Written<'_> {
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
    use super::super::model::Wish;
    use super::super::op::{Op, Step};
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
        assert_eq!(digest(&one), digest(&other));
        let on_main = after(&["ada creates users/a from main", "ada puts A at x/one.md in main"]);
        assert_ne!(digest(&one), digest(&on_main));
        let twice = after(&[
            "ada creates users/a from main",
            "ada puts A at x/one.md in users/a",
            "ada puts B at x/one.md in users/a if A",
        ]);
        assert_ne!(digest(&one), digest(&twice));
        assert_ne!(digest(&Model::new()), digest(&after(&["ada deletes main"])));
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
        assert_ne!(digest(&same), digest(&twins));
    }
}
