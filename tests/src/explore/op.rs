//! What can be done, and how it is written in a trace: one line for each step.

use std::fmt;

use super::broken::Role;
use super::scope::{Name, Page, Text, Who};

/// One thing that somebody can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// Writes or removes a page of a branch.
    Edit {
        /// The branch.
        branch: Name,
        /// The page.
        page: Page,
        /// What it is to say; nothing to remove it.
        put: Option<Text>,
        /// What the writer believes to be there.
        belief: Belief,
    },
    /// Makes a personal branch where another one is; it follows that.
    Create {
        /// The new branch.
        name: Name,
        /// Where it begins.
        from: Name,
    },
    /// Deletes a ref.
    Delete(Name),
    /// Brings a deleted branch back.
    Restore(Name),
    /// Merges the newest version of one branch into another.
    Merge {
        /// What is merged.
        from: Name,
        /// Which gets it.
        into: Name,
    },
    /// Brings a branch up to its upstream.
    Sync(Name),
    /// Puts a branch back to the version before its newest.
    Reset(Name),
    /// Puts a branch back to where it was before it moved last.
    Undo(Name),
    /// Makes the tag where a branch is.
    Tag(Name),
    /// Reads all pages of a branch.
    Read(Name),
    /// Sends the request of an earlier step again, counted from 1.
    Repeat(usize),
    /// Lets a grace period pass.
    Wait,
    /// Does what is due of a collection, now or a grace period later. The newest entry of each ref
    /// is kept.
    Collect {
        /// Whether a grace period passes before.
        later: bool,
    },
    /// Takes back what was condemned.
    Cancel,
}

/// What a writer believes a page to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Belief {
    /// Nothing said about it.
    Unsaid,
    /// The page is not there.
    Absent,
    /// It says this: the current id or a stale one, as it happens.
    Says(Text),
}

impl Belief {
    const ALL: [Self; 4] = [Self::Absent, Self::Says(Text::A), Self::Says(Text::B), Self::Unsaid];
}

/// One step of a trace: who does what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// Who.
    pub who: Who,
    /// What.
    pub op: Op,
}

impl Op {
    /// Everything that can be done, apart from reading and repeating, which is for the search to
    /// add: it depends on what was done.
    ///
    /// Collections are searched with fewer operations: [`of_collections`](Self::of_collections).
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for branch in Name::BRANCHES {
            for page in Page::ALL {
                for put in [Some(Text::A), Some(Text::B), None] {
                    for belief in Belief::ALL {
                        all.push(Self::Edit { branch, page, put, belief });
                    }
                }
            }
            all.extend([Self::Delete(branch), Self::Restore(branch), Self::Reset(branch)]);
            all.extend([Self::Sync(branch), Self::Tag(branch)]);
            for other in Name::BRANCHES.into_iter().filter(|other| *other != branch) {
                all.push(Self::Merge { from: other, into: branch });
                if branch != Name::Main {
                    all.push(Self::Create { name: branch, from: other });
                }
            }
        }
        all.push(Self::Delete(Name::Tag));
        all
    }

    /// What branches that follow one another are made of: what is done to `main` and one personal
    /// branch, each edit believing what is so. Few enough to be searched further than all.
    pub fn of_branches() -> Vec<Self> {
        let edits = [(Some(Text::A), Belief::Absent), (Some(Text::B), Belief::Says(Text::A))];
        let edits = edits.into_iter().chain([(None, Belief::Unsaid)]);
        let keeps = |op: &Self| match *op {
            Self::Edit { branch, put, belief, .. } => {
                branch != Name::B && edits.clone().any(|edit| edit == (put, belief))
            }
            Self::Create { name: one, from: other } | Self::Merge { from: one, into: other } => {
                one != Name::B && other != Name::B
            }
            Self::Sync(name) | Self::Delete(name) | Self::Restore(name) => name == Name::A,
            Self::Reset(name) => name != Name::B,
            _ => false,
        };
        Self::all().into_iter().filter(keeps).collect()
    }

    /// What leaves versions behind that no ref names, brings them back, and collects them.
    pub fn of_collections() -> Vec<Self> {
        let put =
            |branch, page| Self::Edit { branch, page, put: Some(Text::A), belief: Belief::Absent };
        let remove =
            Self::Edit { branch: Name::Main, page: Page::One, put: None, belief: Belief::Unsaid };
        let mut all = vec![
            put(Name::Main, Page::One),
            put(Name::Main, Page::Two),
            put(Name::A, Page::One),
            remove,
        ];
        all.extend([Self::Reset(Name::Main), Self::Undo(Name::Main)]);
        all.extend([
            Self::Create { name: Name::A, from: Name::Main },
            Self::Delete(Name::A),
            Self::Restore(Name::A),
            Self::Merge { from: Name::A, into: Name::Main },
            Self::Sync(Name::A),
        ]);
        all.extend([Self::Wait, Self::Collect { later: false }, Self::Collect { later: true }]);
        all.push(Self::Cancel);
        all
    }

    /// The few of them that what one is to find needs most.
    pub fn of_few_collections() -> Vec<Self> {
        let keeps = |op: &Self| match op {
            Self::Edit { branch, page, put, .. } => {
                *branch == Name::Main && *page == Page::Two && put.is_some()
            }
            Self::Delete(_) | Self::Restore(_) | Self::Reset(_) | Self::Undo(_) => true,
            Self::Collect { later } => *later,
            _ => false,
        };
        Self::of_collections().into_iter().filter(keeps).collect()
    }

    /// Whether it is for the store as a whole and moves no ref.
    pub const fn is_upkeep(self) -> bool {
        matches!(self, Self::Wait | Self::Collect { .. } | Self::Cancel)
    }

    /// As whom it is done.
    pub const fn role(self) -> Role {
        if self.is_upkeep() { Role::Collector } else { Role::Writer }
    }

    /// The ref that it changes, if it changes one.
    pub const fn changes(self) -> Option<Name> {
        match self {
            Self::Edit { branch: name, .. }
            | Self::Create { name, .. }
            | Self::Delete(name)
            | Self::Restore(name)
            | Self::Merge { into: name, .. }
            | Self::Sync(name)
            | Self::Reset(name)
            | Self::Undo(name) => Some(name),
            Self::Tag(_) => Some(Name::Tag),
            Self::Read(_) | Self::Repeat(_) | Self::Wait | Self::Collect { .. } | Self::Cancel => {
                None
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.who.as_str(), self.op)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edit { branch, page, put, belief } => {
                let (branch, page) = (branch.as_str(), page.as_str());
                match put {
                    Some(text) => write!(f, "puts {} at {page} in {branch}", text.as_str())?,
                    None => write!(f, "removes {page} in {branch}")?,
                }
                match belief {
                    Belief::Unsaid => Ok(()),
                    Belief::Absent => write!(f, " if absent"),
                    Belief::Says(text) => write!(f, " if {}", text.as_str()),
                }
            }
            Self::Create { name, from } => {
                write!(f, "creates {} from {}", name.as_str(), from.as_str())
            }
            Self::Delete(name) => write!(f, "deletes {}", name.as_str()),
            Self::Restore(name) => write!(f, "restores {}", name.as_str()),
            Self::Merge { from, into } => {
                write!(f, "merges {} into {}", from.as_str(), into.as_str())
            }
            Self::Sync(name) => write!(f, "syncs {}", name.as_str()),
            Self::Reset(name) => write!(f, "resets {}", name.as_str()),
            Self::Undo(name) => write!(f, "undoes {}", name.as_str()),
            Self::Tag(name) => write!(f, "tags {}", name.as_str()),
            Self::Read(name) => write!(f, "reads {}", name.as_str()),
            Self::Repeat(step) => write!(f, "repeats {step}"),
            Self::Wait => write!(f, "waits a day"),
            Self::Collect { later: false } => write!(f, "collects"),
            Self::Collect { later: true } => write!(f, "collects a day later"),
            Self::Cancel => write!(f, "cancels"),
        }
    }
}

impl Step {
    /// Reads a line as [`Display`](fmt::Display) writes it; `None` if it is none.
    pub fn parse(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split_whitespace().collect();
        let (who, words) = words.split_first()?;
        let who = Who::ALL.into_iter().find(|known| known.as_str() == *who)?;
        let op = match words {
            ["puts", text, "at", page, "in", branch, belief @ ..] => Op::Edit {
                branch: name(branch)?,
                page: self::page(page)?,
                put: Some(self::text(text)?),
                belief: self::belief(belief)?,
            },
            ["removes", page, "in", branch, belief @ ..] => Op::Edit {
                branch: name(branch)?,
                page: self::page(page)?,
                put: None,
                belief: self::belief(belief)?,
            },
            ["creates", new, "from", from] => Op::Create { name: name(new)?, from: name(from)? },
            ["deletes", old] => Op::Delete(name(old)?),
            ["restores", old] => Op::Restore(name(old)?),
            ["merges", from, "into", into] => Op::Merge { from: name(from)?, into: name(into)? },
            ["syncs", branch] => Op::Sync(name(branch)?),
            ["resets", branch] => Op::Reset(name(branch)?),
            ["tags", branch] => Op::Tag(name(branch)?),
            ["reads", branch] => Op::Read(name(branch)?),
            ["undoes", branch] => Op::Undo(name(branch)?),
            ["waits", "a", "day"] => Op::Wait,
            ["collects"] => Op::Collect { later: false },
            ["collects", "a", "day", "later"] => Op::Collect { later: true },
            ["cancels"] => Op::Cancel,
            ["repeats", step] => Op::Repeat(step.parse().ok()?),
            _ => return None,
        };
        Some(Self { who, op })
    }
}

fn name(word: &str) -> Option<Name> {
    Name::ALL.into_iter().find(|name| name.as_str() == word)
}

fn page(word: &str) -> Option<Page> {
    Page::ALL.into_iter().find(|page| page.as_str() == word)
}

fn text(word: &str) -> Option<Text> {
    Text::ALL.into_iter().find(|text| text.as_str() == word)
}

fn belief(words: &[&str]) -> Option<Belief> {
    match words {
        [] => Some(Belief::Unsaid),
        ["if", "absent"] => Some(Belief::Absent),
        ["if", word] => Some(Belief::Says(text(word)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_reads_back() {
        let mut all = Op::all();
        all.extend(Op::of_collections());
        all.extend([Op::Read(Name::B), Op::Repeat(3)]);
        for who in Who::ALL {
            for op in &all {
                let step = Step { who, op: *op };
                assert_eq!(Step::parse(&step.to_string()), Some(step));
            }
        }
        for bad in ["", "ada", "eve deletes main", "ada deletes nothing", "ada repeats x"] {
            assert_eq!(Step::parse(bad), None, "{bad}");
        }
    }
}
