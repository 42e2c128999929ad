//! The reference for merges: page by page, what one side changed and the other left alone.

use super::model::{Files, Model, Number};
use super::scope::{Page, Text};

/// What a page is in the version that two sides came of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Was {
    /// It said this, or was not there.
    Said(Option<Text>),
    /// Two earlier merges disagree about it: it is as neither side has it.
    Disputed,
}

/// The version that two sides came of.
pub type Base = Vec<(Page, Was)>;

/// Both sides changed a page, differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dispute;

/// Merges two sides that came of `base`: every change of either.
pub fn merge(base: &Base, ours: &Files, theirs: &Files) -> Result<Files, Dispute> {
    let mut files = Files::new();
    for (page, was) in base {
        let merged = one(*was, ours.get(page).copied(), theirs.get(page).copied())?;
        files.extend(merged.map(|text| (*page, text)));
    }
    Ok(files)
}

/// What becomes of one page.
fn one(was: Was, ours: Option<Text>, theirs: Option<Text>) -> Result<Option<Text>, Dispute> {
    match was {
        _ if ours == theirs => Ok(ours),
        Was::Said(was) if was == ours => Ok(theirs),
        Was::Said(was) if was == theirs => Ok(ours),
        _ => Err(Dispute),
    }
}

/// What two sides with these best common ancestors came of: of several, their merge, in which what
/// they dispute is as it was before if one of them removed it, and as neither has it otherwise.
pub fn base(model: &Model, bases: &[Number]) -> Base {
    let said = |version: Number| {
        let files = &model.versions[version].files;
        Page::ALL.map(|page| (page, Was::Said(files.get(&page).copied()))).to_vec()
    };
    let Some((first, rest)) = bases.split_first() else {
        return Page::ALL.map(|page| (page, Was::Said(None))).to_vec();
    };
    rest.iter().fold(said(*first), |all, next| {
        let before = base(model, &model.bases(*first, *next));
        let pages = all.into_iter().zip(said(*next)).zip(before);
        pages
            .map(|(((page, ours), (_, theirs)), (_, was))| (page, both(was, ours, theirs)))
            .collect()
    })
}

fn both(was: Was, ours: Was, theirs: Was) -> Was {
    let (Was::Said(ours), Was::Said(theirs)) = (ours, theirs) else {
        return Was::Disputed;
    };
    match one(was, ours, theirs) {
        Ok(merged) => Was::Said(merged),
        Err(Dispute) if ours.is_some() && theirs.is_some() => Was::Disputed,
        Err(Dispute) => was,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(one: Option<Text>, two: Option<Text>) -> Files {
        let said = [(Page::One, one), (Page::Two, two)];
        said.into_iter().filter_map(|(page, text)| Some((page, text?))).collect()
    }

    #[test]
    fn takes_one_sided_changes_and_refuses_what_both_changed() {
        let (a, b) = (Some(Text::A), Some(Text::B));
        let base = vec![(Page::One, Was::Said(a)), (Page::Two, Was::Said(None))];
        let clean = merge(&base, &files(b, None), &files(a, a));
        assert_eq!(clean, Ok(files(b, a)));
        assert_eq!(merge(&base, &files(b, None), &files(None, None)), Err(Dispute));
        assert_eq!(merge(&base, &files(a, a), &files(a, b)), Err(Dispute));
        assert_eq!(merge(&base, &files(None, b), &files(None, b)), Ok(files(None, b)));
    }
}
