//! Random small books, and what two people do to them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use cas_core::object::EntryKind;

use crate::merge::Files;

/// Numbers that are the same in every run.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Less than `n`.
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// A book and what two people made of it.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) base: Files,
    pub(super) ours: Files,
    pub(super) theirs: Files,
    /// Whether somebody changed every line ending of a file.
    pub(super) endings: bool,
}

const PATHS: [&str; 8] = ["a", "b", "run", "part/c", "part/d", "part/deep/e", "other/f", "other/g"];
const PLACES: [&str; 6] = ["new", "part/new", "moved/c", "moved/x", "other/y", "part/deep/z"];

impl Case {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let mut base = Files::new();
        for (n, path) in PATHS.iter().enumerate() {
            if dice.one_in(3) {
                continue;
            }
            let twin = base.values().next().cloned().filter(|_| dice.one_in(25));
            let file = twin.unwrap_or_else(|| (EntryKind::File, text(dice, n)));
            base.insert((*path).to_owned(), file);
        }
        let (ours, theirs) = (base.clone(), base.clone());
        let mut case = Self { base, ours, theirs, endings: false };
        for ours in [true, false] {
            for _ in 0..=dice.below(4) {
                case.act(dice, ours);
            }
        }
        case
    }

    /// Whether two files were equal at first, so that which of them was moved cannot be told.
    pub(super) fn has_twins(&self) -> bool {
        let contents: BTreeSet<_> = self.base.values().map(|(_, content)| content).collect();
        contents.len() < self.base.len()
    }

    /// Whether somebody moved a file and left about so much of it that git takes it for moved
    /// and we do not. What git counts is not just what we count.
    pub(super) fn has_close_move(&self) -> bool {
        let moved = |side: &Files| {
            let gone = self.base.iter().filter(|(path, _)| !side.contains_key(*path));
            let new = side.iter().filter(|(path, _)| !self.base.contains_key(*path));
            let new: Vec<_> = new.collect();
            gone.flat_map(|(_, before)| new.iter().map(|(_, after)| alike(&before.1, &after.1)))
                .any(|percent| (35..=75).contains(&percent))
        };
        moved(&self.ours) || moved(&self.theirs)
    }

    /// What differs, for people.
    pub(super) fn shown(&self) -> String {
        let all = self.base.keys().chain(self.ours.keys()).chain(self.theirs.keys());
        let paths: BTreeSet<_> = all.collect();
        let mut out = String::new();
        for path in paths {
            let three = [&self.base, &self.ours, &self.theirs].map(|files| files.get(path));
            if three[0] != three[1] || three[0] != three[2] {
                out += &format!("{path}\n");
                for (side, file) in ["base", "ours", "theirs"].iter().zip(three) {
                    out += &format!("  {side}: {file:?}\n");
                }
            }
        }
        out
    }

    /// One person does something.
    fn act(&mut self, dice: &mut Dice, ours: bool) {
        let files = if ours { &mut self.ours } else { &mut self.theirs };
        let at = dice.below(files.len().max(1));
        let Some(path) = files.keys().nth(at).cloned() else { return };
        match dice.below(40) {
            0..3 => drop(files.remove(&path)),
            3..7 => {
                let to = dice.of(&PLACES).to_owned();
                if files.contains_key(&to) {
                    return;
                }
                let (kind, before) = files.remove(&path).unwrap();
                let after = if dice.one_in(2) { edit(dice, &before) } else { before };
                files.insert(to, (kind, after));
            }
            7..9 => {
                let file = files.get_mut(&path).unwrap();
                file.0 = match file.0 {
                    EntryKind::File => EntryKind::Executable,
                    _ => EntryKind::File,
                };
            }
            9..12 => {
                let to = dice.of(&PLACES).to_owned();
                let new = dice.below(2);
                let content = if dice.one_in(3) { text(dice, 20 + new) } else { plain(30 + new) };
                files.entry(to).or_insert((EntryKind::File, content));
            }
            12 => {
                let file = files.get_mut(&path).unwrap();
                let text = String::from_utf8(file.1.to_vec()).unwrap();
                let crlf = text.contains("\r\n");
                let text =
                    if crlf { text.replace("\r\n", "\n") } else { text.replace('\n', "\r\n") };
                file.1 = text.into();
                self.endings = true;
            }
            13 => {
                let inside = |path: &String| path.starts_with("part/");
                let moved: Vec<_> = files.keys().filter(|path| inside(path)).cloned().collect();
                for path in moved {
                    let file = files.remove(&path).unwrap();
                    files.insert(path.replace("part/", "moved/"), file);
                }
            }
            _ => {
                let file = files.get_mut(&path).unwrap();
                file.1 = edit(dice, &file.1);
            }
        }
    }
}

fn plain(n: usize) -> Bytes {
    format!("{n} first\n{n} second\n{n} third\n").into()
}

/// A few lines, mostly of this text alone.
fn text(dice: &mut Dice, n: usize) -> Bytes {
    let ending = if dice.one_in(10) { "\r\n" } else { "\n" };
    let mut text = String::new();
    for line in 0..4 + dice.below(10) {
        text += &match dice.below(8) {
            0 => String::new(),
            1 => "---".to_owned(),
            _ => format!("text {n}, line {line}"),
        };
        text += ending;
    }
    if dice.one_in(8) {
        text.truncate(text.trim_end().len());
    }
    text.into()
}

/// Lines are replaced, added and removed in one to three places.
fn edit(dice: &mut Dice, text: &Bytes) -> Bytes {
    let text = std::str::from_utf8(text).unwrap();
    let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    for _ in 0..=dice.below(3) {
        let at = dice.below(lines.len() + 1);
        let new = match dice.below(4) {
            0 => "new".to_owned(),
            1 => String::new(),
            _ => format!("new {}", dice.below(1_000)),
        };
        match dice.below(3) {
            0 if at < lines.len() => drop(lines.remove(at)),
            1 if at < lines.len() => lines[at] = new + ending,
            _ if lines.last().is_none_or(|last| last.ends_with('\n')) => {
                lines.insert(at, new + ending);
            }
            _ => lines.insert(at.min(lines.len() - 1), new + ending),
        }
    }
    lines.concat().into()
}

/// How alike two texts are in percent, as the engine counts.
fn alike(a: &[u8], b: &[u8]) -> usize {
    let mut counts = BTreeMap::<&[u8], usize>::new();
    a.split_inclusive(|byte| *byte == b'\n').for_each(|line| *counts.entry(line).or_default() += 1);
    let common = b.split_inclusive(|byte| *byte == b'\n').filter(|line| {
        counts.get_mut(line).filter(|count| **count > 0).is_some_and(|count| {
            *count -= 1;
            true
        })
    });
    common.map(<[u8]>::len).sum::<usize>() * 100 / a.len().max(b.len()).max(1)
}
