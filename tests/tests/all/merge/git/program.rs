//! Git, as one process for any number of commits, merges or questions.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use cas_core::object::EntryKind;
use tempfile::TempDir;

use crate::merge::Files;

/// A bare repository.
pub(in crate::merge) struct Git(TempDir);

/// What git made of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::merge) struct GitMerge {
    pub(in crate::merge) clean: bool,
    pub(in crate::merge) tree: String,
}

impl Git {
    /// `None`, after saying so, if there is no git that can merge many at once.
    pub(in crate::merge) fn new() -> Option<Self> {
        let version = Command::new("git").arg("--version").output().ok();
        let version = version.map(|found| String::from_utf8(found.stdout).unwrap());
        let number = version.as_deref().and_then(|text| text.split(' ').nth(2)).unwrap_or("none");
        let mut parts = number.trim().split('.').map_while(|part| part.parse::<u32>().ok());
        if (parts.next(), parts.next()) < (Some(2), Some(40)) {
            say(&format!(
                "SKIPPED: merges are not compared with git, which is {number} and not 2.40"
            ));
            return None;
        }
        let git = Self(tempfile::tempdir().unwrap());
        git.run(&["init", "--quiet", "--bare", "."], &[]);
        Some(git)
    }

    fn run(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = Command::new("git")
            .args(args)
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(input).unwrap());
            child.wait_with_output().unwrap()
        });
        assert!(output.status.success(), "git {args:?}: {}", output.status);
        output.stdout
    }

    /// Makes commits, each of files and of the places of its parents in the list. Returns ids.
    pub(in crate::merge) fn commits(&self, commits: &[(&Files, Vec<usize>)]) -> Vec<String> {
        let mut stream = Vec::new();
        for (n, (files, parents)) in commits.iter().enumerate() {
            let who = "committer a <a@a> 1 +0000\ndata 0\n";
            stream.extend(
                format!("reset refs/heads/x\ncommit refs/heads/x\nmark :{}\n{who}", n + 1).bytes(),
            );
            for (place, parent) in parents.iter().enumerate() {
                let word = if place == 0 { "from" } else { "merge" };
                stream.extend(format!("{word} :{}\n", parent + 1).bytes());
            }
            stream.extend(b"deleteall\n");
            for (path, (kind, content)) in *files {
                let mode = match kind {
                    EntryKind::Executable => "100755",
                    EntryKind::Symlink => "120000",
                    _ => "100644",
                };
                stream.extend(format!("M {mode} inline {path}\ndata {}\n", content.len()).bytes());
                stream.extend_from_slice(content);
                stream.push(b'\n');
            }
        }
        self.run(&["fast-import", "--quiet", "--force", "--export-marks=marks"], &stream);
        let marks = std::fs::read_to_string(self.0.path().join("marks")).unwrap();
        let mut ids = vec![String::new(); commits.len()];
        for line in marks.lines() {
            let (mark, id) = line[1..].split_once(' ').unwrap();
            id.clone_into(&mut ids[mark.parse::<usize>().unwrap() - 1]);
        }
        ids
    }

    /// Merges pairs of commits.
    pub(in crate::merge) fn merges(
        &self,
        settings: &[&str],
        pairs: &[(&str, &str)],
    ) -> Vec<GitMerge> {
        let mut input = String::new();
        for (ours, theirs) in pairs {
            writeln!(input, "{ours} {theirs}").unwrap();
        }
        let (config, options) = match settings {
            ["-X", ..] => (&[][..], settings),
            _ => (settings, &[][..]),
        };
        let merge = ["--write-tree", "--name-only", "--no-messages", "--stdin"];
        let args = [config, &["merge-tree"], options, &merge].concat();
        let output = self.run(&args, input.as_bytes());
        let mut fields = output.split(|byte| *byte == 0);
        let mut merges = Vec::with_capacity(pairs.len());
        while let Some(status @ (b"0" | b"1")) = fields.next() {
            let tree = String::from_utf8(fields.next().unwrap().to_vec()).unwrap();
            merges.push(GitMerge { clean: status == b"1", tree });
            // The paths in conflict, up to an empty one.
            while fields.next().is_some_and(|path| !path.is_empty()) {}
        }
        assert_eq!(merges.len(), pairs.len());
        merges
    }

    /// The trees of commits.
    pub(in crate::merge) fn trees(&self, commits: &[String]) -> Vec<String> {
        let input: String = commits.iter().map(|id| format!("{id}^{{tree}}\n")).collect();
        let output = self.run(&["cat-file", "--batch-check=%(objectname)"], input.as_bytes());
        String::from_utf8(output).unwrap().lines().map(str::to_owned).collect()
    }

    /// A tree, for people.
    pub(in crate::merge) fn show(&self, tree: &str) -> String {
        let output = self.run(&["ls-tree", "-r", tree], &[]);
        let list = String::from_utf8(output).unwrap();
        let file = |line: &str| {
            let id = line.split([' ', '\t']).nth(2).unwrap();
            let content = self.run(&["cat-file", "blob", id], &[]);
            format!("{line}\n{:?}\n", String::from_utf8_lossy(&content))
        };
        list.lines().map(file).collect()
    }
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests should know")]
pub(in crate::merge) fn say(text: &str) {
    eprintln!("{text}");
}
