//! Many processes writing to one branch at once.

use std::process::Stdio;

use cas_tests::cli::{User, snapshot};

const WRITERS: usize = 32;

/// Starts all of `commands` before it waits for the first.
fn at_once(user: &User, commands: Vec<Vec<String>>) -> Vec<(i32, String)> {
    let spawn = |args| {
        let mut command = user.command(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the binary runs")
    };
    let children: Vec<_> = commands.into_iter().map(spawn).collect();
    let wait = |child: std::process::Child| {
        let output = child.wait_with_output().expect("the binary ends");
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    children.into_iter().map(wait).collect()
}

fn args(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| (*arg).to_owned()).collect()
}

#[test]
fn invariant_no_lost_update_of_32_processes_on_one_branch() {
    let user = User::new();
    user.write("book/shared.md", "as it was\n");
    user.ok(["import", "book", "guide"]);
    let seen = user.json(["ls", "guide", "shared.md"])[0]["id"].as_str().unwrap().to_owned();
    let commands = (0..WRITERS).map(|n| {
        let file = user.write(&format!("new-{n}.md"), format!("written by {n}\n"));
        let file = file.to_str().unwrap();
        if n % 2 == 0 {
            args(&["put", "guide", "shared.md", file, "--expect", &seen])
        } else {
            args(&["put", "guide", &format!("own/{n}.md"), file, "--create"])
        }
    });
    let ended = at_once(&user, commands.collect());

    let winners: Vec<_> = (0..WRITERS).filter(|n| n % 2 == 0 && ended[*n].0 == 0).collect();
    assert_eq!(winners.len(), 1, "exactly one of those that expect the same wins: {ended:?}");
    let winner = format!("written by {}\n", winners[0]);
    assert_eq!(user.ok(["cat", "guide", "shared.md"]), winner);
    let current = user.json(["ls", "guide", "shared.md"])[0]["id"].as_str().unwrap().to_owned();
    for (n, (code, stderr)) in ended.iter().enumerate() {
        if n % 2 == 1 {
            assert_eq!(*code, 0, "writers of other files all land: {stderr}");
            assert_eq!(
                user.ok(["cat", "guide", &format!("own/{n}.md")]),
                format!("written by {n}\n")
            );
        } else if n != winners[0] {
            assert_eq!(*code, 3, "the others are told of the conflict: {stderr}");
            assert!(stderr.contains(&current), "... and what is there now: {stderr}");
        }
    }
    let entries = 1 + 1 + WRITERS / 2;
    let log = user.json(["reflog", "guide@main"]);
    assert_eq!(log.as_array().unwrap().len(), entries, "one entry for each change that landed");
    let verified = user.json(["verify-log", "guide@main"]);
    assert_eq!(
        (verified["ok"].as_bool(), verified["entries"].as_u64()),
        (Some(true), Some(entries as u64))
    );
}

#[test]
fn one_of_many_processes_creates_a_branch() {
    let user = User::new();
    user.write("book/a.md", "a\n");
    user.ok(["import", "book", "guide"]);
    let commands = (0..8).map(|_| args(&["branch", "create", "guide@users/ada"]));
    let ended = at_once(&user, commands.collect());
    assert_eq!(ended.iter().filter(|(code, _)| *code == 0).count(), 1, "{ended:?}");
    assert_eq!(ended.iter().filter(|(code, _)| *code == 3).count(), 7, "{ended:?}");
    assert_eq!(user.json(["reflog", "guide@users/ada"]).as_array().unwrap().len(), 1);
}

#[test]
fn many_processes_make_one_store() {
    let user = User::without_store();
    let ended = at_once(&user, (0..8).map(|_| args(&["init"])).collect());
    assert!(ended.iter().all(|(code, _)| *code == 0), "{ended:?}");
    assert_eq!(user.ok(["books"]), "");
}

#[test]
fn checkouts_into_one_folder_at_once_leave_one_whole_version() {
    let user = User::new();
    for n in 0..200 {
        user.write(&format!("book/part{}/{n}.md", n % 5), format!("first {n}\n"));
    }
    user.ok(["import", "book", "guide"]);
    for n in 0..200 {
        user.write(&format!("book/part{}/{n}.md", n % 5), format!("second {n}\n"));
    }
    user.ok(["import", "book", "guide"]);
    user.ok(["checkout", "guide", "new"]);
    user.ok(["checkout", "guide~1", "old"]);
    let (new, old) = (snapshot(&user.path("new")), snapshot(&user.path("old")));
    for round in 0..10 {
        let revisions = ["guide", "guide~1", "guide", "guide~1"];
        let commands = revisions.iter().map(|revision| args(&["checkout", revision, "out"]));
        let ended = at_once(&user, commands.collect());
        assert!(ended.iter().any(|(code, _)| *code == 0), "round {round}: {ended:?}");
        let found = snapshot(&user.path("out"));
        assert!(found == new || found == old, "round {round}: a mixture of versions, {ended:?}");
        assert_eq!(user.json(["status", "out"])["clean"], true, "round {round}");
    }
}
