//! What a fleet sync costs for each branch, beside what it costs once.

use bytes::Bytes;
use cas_core::name::{BookPath, Operation, RefName, Revision};
use cas_core::refs::Follow;
use cas_core::repo::{
    Content, Edit, PathEdit, Precondition, Repository, SyncRequest, SyncStatus, UpstreamChoice,
};
use cas_tests::counting::Counts;

use super::{BOOK, Place, book, counts, request};

/// What readers did before the sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// They met the newest version.
    UpToDate,
    Unchanged,
    /// They added a file of their own, in the folder where the book got another one.
    Edited,
}

async fn add(repo: &Repository, branch: &str, path: &str, text: String) {
    let edit = PathEdit {
        path: BookPath::parse(path).unwrap(),
        edit: Edit::Put(Content::from_bytes(Bytes::from(text))),
        precondition: Precondition::Absent,
    };
    repo.edit(&request(branch), Operation::put(), &[edit]).await.unwrap();
}

/// The requests of one sync of so many branches.
async fn sync(class: Class, branches: u64, dry_run: bool) -> Counts {
    let place = Place::new();
    place.imported(BOOK).await;
    let repo = place.process();
    let begin = |repo: Repository| async move {
        let main = Revision::head(book(), RefName::main());
        let start = repo.branch_start(&main, &UpstreamChoice::Default, Some(Follow::Pinned));
        let start = start.await.unwrap();
        for n in 0..branches {
            let name = RefName::parse(&format!("users/{n}")).unwrap();
            let create = repo.ref_request(&book(), &name, "");
            repo.create_branch(&create, &start).await.unwrap();
        }
    };
    if class != Class::UpToDate {
        begin(repo.clone()).await;
    }
    add(&repo, "main", "part-01/new.md", "new".to_owned()).await;
    match class {
        Class::UpToDate => begin(repo.clone()).await,
        Class::Unchanged => {}
        Class::Edited => {
            for n in 0..branches {
                add(&repo, &format!("users/{n}"), "part-01/own.md", format!("by {n}")).await;
            }
        }
    }
    let request = SyncRequest { dry_run, ..SyncRequest::new(book(), "users/*") };
    let process = place.process();
    place.take();
    let report =
        process.sync(&request, &mut |_, _| Box::pin(std::future::ready(()))).await.unwrap();
    let status = match class {
        Class::UpToDate => SyncStatus::UpToDate,
        Class::Unchanged => SyncStatus::FastForward,
        Class::Edited => SyncStatus::Merged,
    };
    assert_eq!(report.count(status), branches, "{report:?}");
    place.take()
}

/// What each further branch adds.
async fn for_each(class: Class, dry_run: bool) -> Counts {
    let (one, three) = (sync(class, 1, dry_run).await, sync(class, 3, dry_run).await);
    let each = |one: u64, three: u64| {
        assert_eq!((three - one) % 2, 0, "{class:?}: {one} and {three}");
        (three - one) / 2
    };
    counts(each(one.put, three.put), each(one.get, three.get), each(one.list, three.list))
}

#[tokio::test]
async fn a_branch_that_is_up_to_date_costs_a_look_at_it() {
    assert_eq!(for_each(Class::UpToDate, false).await, counts(0, 1, 1));
}

#[tokio::test]
async fn a_branch_without_changes_costs_an_entry_more() {
    assert_eq!(for_each(Class::Unchanged, false).await, counts(1, 1, 2));
    assert_eq!(for_each(Class::Unchanged, true).await, counts(0, 1, 1));
}

/// Read: its commit, its root and the folder. Written: both anew, the commit and the entry.
#[tokio::test]
async fn a_branch_with_changes_costs_what_differs_on_both_sides() {
    assert_eq!(for_each(Class::Edited, false).await, counts(4, 4, 2));
    assert_eq!(for_each(Class::Edited, true).await, counts(0, 4, 1));
}
