//! The real binary against a bucket that is bad in every way that the test server knows.
//!
//! Two things must hold whatever happens: a command that says it did something did it, and no ref
//! names what is not there. The first each test asks for itself, the second [`Cloud::audit`]. That
//! no command ever prints a secret is asked of each by [`User::ran`].

mod access;
mod answers;
mod cache;
mod emptied;
mod interrupted;
mod large;
mod lists;
mod proofs;
mod repair;

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cas_tests::audit;
use cas_tests::cli::{Ran, User, snapshot};
use cas_tests::place::Place;
use cas_tests::s3::{Behaviour, Counts, Server};
use tokio::time::Instant;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server, and a user whose store is in its bucket.
struct Cloud {
    server: Arc<Server>,
    user: User,
    prefix: String,
}

impl Cloud {
    /// With a store.
    fn new() -> Self {
        Self::make(User::at)
    }

    /// Without one.
    fn without_store() -> Self {
        Self::make(User::without_store_at)
    }

    fn make(user: impl FnOnce(Place) -> User) -> Self {
        let server = Arc::new(Server::start());
        let place = Place::on(&server);
        let Place::Server(_, prefix) = &place else { unreachable!("the place is on a server") };
        let prefix = prefix.clone();
        Self { server, user: user(place), prefix }
    }

    /// With `guide` of one version: see [`write_book`].
    fn with_guide(files: u32) -> Self {
        let cloud = Self::new();
        write_book(&cloud.user, files, "first");
        cloud.user.ok(["import", "book", "guide"]);
        cloud
    }

    /// The key in the bucket of a key of the store.
    fn key(&self, key: &str) -> String {
        format!("{}/{key}", self.prefix)
    }

    fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        self.server.behave(change);
    }

    /// A good server again.
    fn heal(&self) {
        self.server.behave(|behaviour| *behaviour = Behaviour::default());
    }

    /// Every ref is a chain, and what it names is there and intact.
    #[track_caller]
    fn audit(&self) {
        assert_eq!(audit::faults(&self.server.snapshot(), &self.prefix), Vec::<String>::new());
    }

    /// The book is what the branch holds, by a checkout from a good server.
    #[track_caller]
    fn assert_complete(&self) {
        self.audit();
        let _ = std::fs::remove_dir_all(self.user.path("complete"));
        self.user.ok(["checkout", "guide", "complete"]);
        assert_eq!(snapshot(&self.user.path("complete")), snapshot(&self.user.path("book")));
        assert_eq!(self.user.json(["verify-log", "guide@main"])["ok"], true);
    }

    /// Starts a command and does something once so much arrived at the server, counted from now.
    fn during(&self, args: &[&str], when: impl Fn(Counts) -> bool, act: impl FnOnce()) -> Ran {
        self.server.reset_counts();
        let child = spawn(self.user.command(args));
        wait_for(|| when(self.server.counts()));
        act();
        self.user.ran(child.wait_with_output().unwrap())
    }
}

/// Writes `book`: so many files in seven folders, each with its own text.
fn write_book(user: &User, files: u32, text: &str) {
    for n in 0..files {
        let lesson = format!("# Lesson {n}\n\n{text}\n").repeat(20);
        user.write(&format!("book/part{}/lesson{n}.md", n % 7), lesson);
    }
}

/// Bytes of which no two parts are alike.
fn noise(bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    blake3::Hasher::new().update(b"noise").finalize_xof().fill(&mut noise);
    noise
}

fn spawn(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits until something is so.
fn wait_for(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "it never came to that");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Ends with this code, says each of `parts`, and prints no data.
#[track_caller]
fn refused(ran: &Ran, code: i32, parts: &[&str]) {
    let said = ran.stderr();
    assert_eq!((ran.code(), ran.stdout().as_str()), (code, ""), "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
}
