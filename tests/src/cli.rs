//! The real binary, built once and run in folders of its own.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::place::Place;

/// The `cas` binary of this workspace, in the profile that the tests are built in.
///
/// # Panics
///
/// If it cannot be built.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // With the features that the workspace's tests are built with: nothing is compiled twice.
        build.args(["build", "--quiet", "--workspace", "--bin", "cas"]);
        build.current_dir(workspace());
        // What cargo tells tests of the package that they are of: crates that heed it would be built
        // anew, now and by the next command.
        let told =
            |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(told) {
                build.env_remove(name);
            }
        }
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let status = build.status().expect("cargo runs");
        assert!(status.success(), "the binary builds");
        // A test binary is in `<target>/<profile>/deps`.
        let test = std::env::current_exe().expect("a test knows its own path");
        let folder =
            test.parent().and_then(Path::parent).expect("a test is in a folder of folders");
        folder.join("cas")
    })
}

/// The workspace's folder.
///
/// # Panics
///
/// Never: this package is a folder of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the workspace")
}

/// A user with a home, a store and nothing else.
///
/// The store is where [`place::VARIABLE`](crate::place::VARIABLE) says, unless the test looks into
/// the store's own folder and says so with [`with_folder`](Self::with_folder).
#[derive(Debug)]
pub struct User {
    home: TempDir,
    place: Place,
    /// Another user of the system, and the binary where that one may run it.
    other: Option<(u32, PathBuf)>,
}

impl User {
    /// A new user, whose store is made already.
    ///
    /// # Panics
    ///
    /// If the store cannot be made.
    pub fn new() -> Self {
        Self::without_store().making_store()
    }

    /// The same, whose store is a folder whatever the environment says.
    ///
    /// # Panics
    ///
    /// If the store cannot be made.
    pub fn with_folder() -> Self {
        Self::without_store_at(Place::Folder).making_store()
    }

    /// The same, whose store is at `place`.
    ///
    /// # Panics
    ///
    /// If the store cannot be made.
    pub fn at(place: Place) -> Self {
        Self::without_store_at(place).making_store()
    }

    /// A new user without a store.
    ///
    /// # Panics
    ///
    /// If there is no room for temporary folders.
    pub fn without_store() -> Self {
        Self::without_store_at(Place::from_environment())
    }

    /// The same, who would make it at `place`.
    ///
    /// # Panics
    ///
    /// If there is no room for temporary folders.
    pub fn without_store_at(place: Place) -> Self {
        let home = tempfile::tempdir().expect("there is room for a temporary folder");
        Self { home, place, other: None }
    }

    fn making_store(self) -> Self {
        if !self.place.make_store() {
            self.ok(["init"]);
        }
        self
    }

    /// The same user without privileges: if the tests run as root, every command runs as `nobody`,
    /// to whom everything in the home then belongs.
    ///
    /// # Panics
    ///
    /// If the files cannot be given away.
    #[must_use]
    pub fn unprivileged(mut self) -> Self {
        const NOBODY: u32 = 65_534;
        let own = self.home.path().metadata().expect("the home is there").uid();
        if own != 0 {
            return self;
        }
        // The workspace may be where nobody else may go.
        let copy = self.path("cas-binary");
        std::fs::copy(binary(), &copy).expect("the binary can be copied");
        let mut todo = vec![self.home.path().to_owned()];
        while let Some(path) = todo.pop() {
            lchown(&path, Some(NOBODY), Some(NOBODY)).expect("root may give files away");
            if path.is_dir() && !path.is_symlink() {
                let entries = std::fs::read_dir(&path).expect("a folder can be listed");
                todo.extend(entries.flatten().map(|entry| entry.path()));
            }
        }
        self.other = Some((NOBODY, copy));
        self
    }

    /// A path in the user's home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The store's folder.
    ///
    /// # Panics
    ///
    /// If the store is no folder: a test that needs one says [`with_folder`](Self::with_folder).
    pub fn store(&self) -> PathBuf {
        assert!(matches!(self.place, Place::Folder), "the store is no folder");
        self.path("store")
    }

    /// Where the store is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What `--store` says.
    pub fn location(&self) -> String {
        self.place.url().unwrap_or_else(|| self.path("store").display().to_string())
    }

    /// Everything in the store, with what tells its content apart.
    pub fn stored(&self) -> Vec<(String, String)> {
        match self.place {
            Place::Folder if !self.path("store").exists() => Vec::new(),
            Place::Folder => snapshot(&self.path("store")),
            _ => self.place.listed(),
        }
    }

    /// The same without objects that a bucket may keep though nothing names them: what was put
    /// before a command was refused stays there until it is collected.
    pub fn named(&self) -> Vec<(String, String)> {
        let mut stored = self.stored();
        if !matches!(self.place, Place::Folder) {
            let objects = ["/blobs/", "/trees/", "/commits/"];
            stored.retain(|(key, _)| !objects.iter().any(|folder| key.contains(folder)));
        }
        stored
    }

    /// Writes a file in the user's home, making folders as needed.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).expect("a folder can be made");
        }
        std::fs::write(&path, content).expect("a file can be written");
        path
    }

    /// The command, not run yet: in the user's home, with the user's store and nothing of the
    /// environment that could change what it does.
    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let program = self.other.as_ref().map_or(binary(), |(_, binary)| binary);
        let mut command = Command::new(program);
        if let Some((user, _)) = self.other {
            command.uid(user).gid(user);
        }
        command.args(args).current_dir(self.home.path());
        for name in ["XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"] {
            command.env_remove(name);
        }
        command
            .env("HOME", self.home.path())
            .env("CAS_STORE", self.location())
            .envs(self.place.environment())
            .env("CAS_ACTOR", "tester");
        command
    }

    /// Runs the command.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ran {
        self.ran(self.command(args).stdin(Stdio::null()).output().expect("the binary runs"))
    }

    /// Runs the command with this on its standard input.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn run_with_input<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        input: &[u8],
    ) -> Ran {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let mut pipe = child.stdin.take().expect("standard input is a pipe");
        // A command that fails early need not read everything.
        let _ = pipe.write_all(input);
        drop(pipe);
        self.ran(child.wait_with_output().expect("the binary ends"))
    }

    /// A command of this user that has ended.
    ///
    /// # Panics
    ///
    /// If it printed the secret by which it gets at the store.
    pub fn ran(&self, output: Output) -> Ran {
        let ran = Ran(output);
        if let Some(secret) = self.place.secret() {
            let said = format!("{}{}", ran.stdout(), ran.stderr());
            assert!(!said.contains(&secret), "a secret is printed: {said}");
        }
        ran
    }

    /// Runs the command, which must succeed, and returns its standard output.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn ok<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code(), 0, "{}", ran.stderr());
        ran.stdout()
    }

    /// Runs the command, which must end with this exit code and print no data, and returns its
    /// standard error.
    ///
    /// # Panics
    ///
    /// If it ends with another code, prints data, or explains itself without `error:`.
    pub fn fails<A: AsRef<OsStr>>(&self, code: i32, args: impl IntoIterator<Item = A>) -> String {
        let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let ran = self.run(&args);
        let said = ran.stderr();
        assert_eq!(ran.code(), code, "{args:?}: {said}{}", ran.stdout());
        assert_eq!(ran.stdout(), "", "{args:?}: data in spite of an error");
        assert!(said.starts_with("error: "), "{args:?}: {said}");
        said
    }

    /// Runs the command with `--json`, which must succeed, and returns its answer.
    ///
    /// # Panics
    ///
    /// If it fails or does not answer in JSON.
    pub fn json<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> serde_json::Value {
        let mut all: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        all.push("--json".into());
        serde_json::from_str(&self.ok(all)).expect("the answer is JSON")
    }
}

impl Default for User {
    fn default() -> Self {
        Self::new()
    }
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ran(pub Output);

impl Ran {
    /// The exit code; -1 if a signal ended it.
    pub fn code(&self) -> i32 {
        self.0.status.code().unwrap_or(-1)
    }

    /// Standard output.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    /// Standard error.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }
}

/// The value at `key`, which is a string.
///
/// # Panics
///
/// If there is none.
pub fn text<'a>(value: &'a serde_json::Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is a string in {value}"))
}

/// Checks that `value` is an object with exactly these keys, given in order.
///
/// # Panics
///
/// If it is not.
#[track_caller]
pub fn assert_keys(value: &serde_json::Value, keys: &[&str]) {
    let found: Vec<_> = value
        .as_object()
        .unwrap_or_else(|| panic!("{value} is an object"))
        .keys()
        .map(String::as_str)
        .collect();
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    assert_eq!(found, keys);
}

/// Every file, folder and symlink below `folder`, with content and executable bit, sorted: two
/// folders are equal if these are. `.cas` is left out.
///
/// # Panics
///
/// If the folder cannot be read.
pub fn snapshot(folder: &Path) -> Vec<(String, String)> {
    use std::os::unix::fs::PermissionsExt;
    let mut found = Vec::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(at) = todo.pop() {
        for entry in std::fs::read_dir(&at).expect("a folder can be listed") {
            let path = entry.expect("a folder can be listed").path();
            let name =
                path.strip_prefix(folder).expect("it is below").to_string_lossy().into_owned();
            if name == ".cas" {
                continue;
            }
            let meta = path.symlink_metadata().expect("what is listed is there");
            let what = if meta.is_symlink() {
                format!("link {}", path.read_link().expect("a link can be read").display())
            } else if meta.is_dir() {
                todo.push(path);
                "folder".to_owned()
            } else {
                let bytes = std::fs::read(&path).expect("a file can be read");
                format!("file {} {}", meta.permissions().mode() & 0o100, blake3::hash(&bytes))
            };
            found.push((name, what));
        }
    }
    found.sort_unstable();
    found
}
