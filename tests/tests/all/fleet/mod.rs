//! Personal branches, from the outside: syncs, live reads, what disturbs them and what must not.

mod isolation;
mod killed;
mod live;
mod sync;

use cas_tests::cli::User;

/// Lines of a lesson, one of them as said.
fn lesson(changed: &[(usize, &str)]) -> String {
    let line = |n: usize| match changed.iter().find(|(at, _)| *at == n) {
        Some((_, text)) => format!("{text}\n"),
        None => format!("line {n}\n"),
    };
    (0..20).map(line).collect()
}

/// A book of a few lessons, and branches of it called `users/0` and so on.
fn book(branches: usize, follow: &str) -> User {
    let user = User::new();
    for n in 0..6 {
        user.write(&format!("book/part{}/lesson{n}.md", n % 2), lesson(&[]));
    }
    user.ok(["import", "book", "guide"]);
    create(&user, branches, follow);
    user
}

fn create(user: &User, branches: usize, follow: &str) {
    let names: String = (0..branches).map(|n| format!("users/{n}\n")).collect();
    let args = ["branch", "create", "guide", "--stdin", "--follow", follow];
    let ran = user.run_with_input(args, names.as_bytes());
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
}

/// Writes one file of a branch, whatever is there.
fn put(user: &User, branch: &str, path: &str, text: &str) {
    let file = user.write("new.txt", text);
    let file = file.to_str().unwrap();
    let there = user.run(["ls", "--json", branch, path]);
    let found: serde_json::Value = serde_json::from_str(&there.stdout()).unwrap_or_default();
    match found[0]["id"].as_str() {
        Some(id) => user.ok(["put", branch, path, file, "--expect", id]),
        None => user.ok(["put", branch, path, file, "--create"]),
    };
}

fn cat(user: &User, branch: &str, path: &str) -> String {
    user.ok(["cat", branch, path])
}
