//! The newest entry of a log, whose slots are names in a folder.
//!
//! A folder is not sorted, so finding the first name means reading all. Of a long log some names
//! are read, in whatever order the disk has them; from the newest of these on, the slots are tried.
//! Slots have no gaps, unless entries were lost: then all names are read after all.

use std::io;

use object_store::path::Path as Key;

use super::LocalStore;
use crate::store::layout;

/// Up to how many names a folder is read whole.
const FEW: usize = 512;

/// How many slots right behind a free one are tried, to notice that it is a gap; further on, every
/// power of two up to this one.
const NEAR: u64 = 64;
const FAR: u32 = 18;

impl LocalStore {
    /// The name of the newest slot in `folder`, or the first name before it that is none; `None`
    /// if the folder is empty or not there.
    pub(crate) fn newest_slot(&self, folder: &Key) -> io::Result<Option<String>> {
        let some = match self.inner.disk.some_names(folder.as_ref(), FEW) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            some => some?,
        };
        let is_all = some.len() < FEW;
        let first = some.into_iter().min();
        if is_all {
            return Ok(first);
        }
        let known = first.and_then(|first| layout::slot_seq(&Key::from(first)));
        let newest = known.map(|known| self.newest_from(folder, known)).transpose()?.flatten();
        match newest {
            Some(seq) => Ok(Some(layout::slot_name(seq))),
            None => self.first_below(folder),
        }
    }

    /// The newest slot from one that is taken; `None` if there is one behind a gap.
    fn newest_from(&self, folder: &Key, known: u64) -> io::Result<Option<u64>> {
        let is_taken = |seq: u64| -> io::Result<bool> {
            let path = format!("{folder}/{}", layout::slot_name(seq));
            Ok(self.inner.disk.file_len(&path)?.is_some())
        };
        let (mut taken, mut step) = (known, 1);
        while is_taken(taken + step)? {
            taken += step;
            step *= 2;
        }
        let mut free = taken + step;
        while free - taken > 1 {
            let middle = taken.midpoint(free);
            if is_taken(middle)? {
                taken = middle;
            } else {
                free = middle;
            }
        }
        for more in (1..=NEAR).chain((NEAR.ilog2() + 1..=FAR).map(|power| 1 << power)) {
            if is_taken(free + more)? {
                return Ok(None);
            }
        }
        Ok(Some(taken))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs::File;
    use std::path::Path;

    use super::*;

    /// A store with a log of so many entries.
    fn with_log(root: &Path, entries: u64) -> LocalStore {
        std::fs::create_dir(root.join("log")).unwrap();
        for seq in 1..=entries {
            File::create(root.join("log").join(layout::slot_name(seq))).unwrap();
        }
        LocalStore::open(root).unwrap()
    }

    fn newest(store: &LocalStore) -> Option<u64> {
        let found = store.newest_slot(&"log".into()).unwrap();
        found.map(|name| layout::slot_seq(&Key::from(name)).unwrap())
    }

    #[test]
    fn the_newest_entry_is_found_in_logs_of_any_length() {
        for entries in [0, 1, 2, 510, 511, 512, 513, 514, 1_023, 1_024, 1_025, 4_000] {
            let home = tempfile::tempdir().unwrap();
            let store = with_log(home.path(), entries);
            assert_eq!(newest(&store), (entries > 0).then_some(entries));
        }
        let home = tempfile::tempdir().unwrap();
        assert_eq!(newest(&LocalStore::open(home.path()).unwrap()), None);
    }

    #[test]
    fn the_newest_entry_is_found_behind_entries_that_were_lost() {
        const ENTRIES: u64 = 20_000;
        let home = tempfile::tempdir().unwrap();
        let store = with_log(home.path(), ENTRIES);
        let mut near = 0;
        for lost in [1, 2, 7, 40] {
            let some = store.inner.disk.some_names("log", FEW).unwrap();
            let known: BTreeSet<_> =
                some.iter().map(|name| layout::slot_seq(&Key::from(name.as_str()))).collect();
            let known = known.last().unwrap().unwrap();
            // Around the place where the slots are tried from, and elsewhere.
            for from in [known + 1, ENTRIES - lost - 1, 1_000] {
                let gap = from..(from + lost).min(ENTRIES);
                near += u64::from(gap.start > known && !gap.is_empty());
                let at = |seq| home.path().join("log").join(layout::slot_name(seq));
                gap.clone().for_each(|seq| std::fs::remove_file(at(seq)).unwrap());
                assert_eq!(newest(&store), Some(ENTRIES), "{gap:?} lost, from {known}");
                gap.for_each(|seq| drop(File::create(at(seq)).unwrap()));
            }
        }
        assert!(near > 0, "no gap was where the slots are tried");
    }

    #[test]
    fn what_is_no_slot_is_found_first() {
        let home = tempfile::tempdir().unwrap();
        let store = with_log(home.path(), 10);
        File::create(home.path().join("log/a")).unwrap();
        assert_eq!(store.newest_slot(&"log".into()).unwrap().as_deref(), Some("a"));
    }
}
