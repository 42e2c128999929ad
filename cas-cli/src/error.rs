//! Errors as users see them: what went wrong, because of what, and what may help.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use cas_core::ErrorKind;
use cas_core::access::AccessError;
use cas_core::folder::FolderError;
use cas_core::name::NameError;
use cas_core::object::{DecodeError, Kind};
use cas_core::refs::{CheckpointError, RefError};
use cas_core::repo::RepoError;
use cas_core::sign::NoteError;
use cas_core::store::{BackendError, Cause, RemoteError, StoreError};
use cas_core::upkeep::UpkeepError;
use cas_server::TlsError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// An operation on a folder failed.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// An operation on the repository failed.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A ref failed.
    #[error(transparent)]
    Ref(#[from] RefError),
    /// Tokens failed.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Care for the store failed.
    #[error(transparent)]
    Upkeep(UpkeepError),
    /// The server cannot speak TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A store without a token would be served to other machines.
    #[error("the store has no token, so it is served to this machine only, not at {address}")]
    Unguarded {
        /// Where it was to be served.
        address: std::net::SocketAddr,
    },
    /// A name is bad.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A file is no note that can be believed.
    #[error("cannot believe {file}")]
    Note {
        /// The file.
        file: String,
        /// Why not.
        source: NoteError,
    },
    /// A file is no checkpoint.
    #[error("{file} is no checkpoint")]
    Checkpoint {
        /// The file.
        file: String,
        /// Why not.
        source: CheckpointError,
    },
    /// The machine failed.
    #[error("cannot {action}")]
    Io {
        /// What was tried.
        action: String,
        /// What it said.
        source: std::io::Error,
    },
    /// The user pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The command cannot be meant.
    #[error("{0}")]
    Usage(String),
    /// The command did what it was asked to, and found something wrong.
    #[error("{message}")]
    Found {
        /// What it found.
        message: String,
        /// Of which kind that is.
        kind: ErrorKind,
        /// What may help.
        hint: Option<&'static str>,
    },
}

impl From<UpkeepError> for CommandError {
    fn from(error: UpkeepError) -> Self {
        match error {
            UpkeepError::ShortGrace { .. }
            | UpkeepError::OtherCollection
            | UpkeepError::SlowList { .. } => Self::Upkeep(error),
            UpkeepError::Ref(source) => Self::Ref(source),
            UpkeepError::Access(source) => Self::Access(source),
            UpkeepError::Store(source) => Self::Store(source),
        }
    }
}

impl CommandError {
    /// The command did what it was asked to, and found something wrong.
    pub(crate) const fn found(message: String, kind: ErrorKind) -> Self {
        Self::Found { message, kind, hint: None }
    }

    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }

    /// What may be done about it; `None` for wrong usage.
    pub(crate) fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Usage(_)
            | Self::Name(_)
            | Self::Unguarded { .. }
            | Self::Upkeep(UpkeepError::ShortGrace { .. })
            | Self::Access(AccessError::Invalid { .. })
            // Arguments that are malformed in a way that only shows when they are used.
            | Self::Store(StoreError::BadLocation { .. })
            | Self::Repo(RepoError::Pattern { .. })
            | Self::Folder(FolderError::Repo(RepoError::Pattern { .. })) => None,
            Self::Folder(source) => Some(source.kind()),
            Self::Repo(source) => Some(source.kind()),
            Self::Store(source) => Some(source.kind()),
            Self::Ref(source) => Some(source.kind()),
            Self::Access(source) => Some(source.kind()),
            Self::Upkeep(source) => Some(source.kind()),
            Self::Tls(_) => Some(ErrorKind::Invalid),
            Self::Note { source, .. } => Some(source.kind()),
            Self::Checkpoint { source, .. } => Some(source.kind()),
            Self::Io { source, .. } => Some(source.into()),
            Self::Found { kind, .. } => Some(*kind),
            Self::Interrupted => Some(ErrorKind::Unavailable),
        }
    }

    /// 1 failed, 2 wrong usage, 3 conflict, 4 damaged data.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if matches!(self, Self::Interrupted) {
            // As if the signal had ended it: 128 + SIGINT.
            return ExitCode::from(130);
        }
        match self.kind() {
            None => ExitCode::from(2),
            Some(ErrorKind::Conflict) => ExitCode::from(3),
            Some(ErrorKind::Corrupt) => ExitCode::from(4),
            Some(_) => ExitCode::FAILURE,
        }
    }

    /// `error:`, `caused by:` and `hint:`, a line each.
    pub(crate) fn report(&self) -> String {
        let mut text = format!("error: {self}");
        let mut source = self.source();
        let mut said = self.to_string();
        while let Some(cause) = source {
            // What a server says is long and full of markup; its meaning is short.
            if let Some(found) = cause.downcast_ref::<BackendError>() {
                text.push_str(&format!("\ncaused by: {}", Cause::of(found).summary));
                break;
            }
            let cause_said = cause.to_string();
            if !said.ends_with(&cause_said) {
                text.push_str(&format!("\ncaused by: {cause_said}"));
            }
            said = cause_said;
            source = cause.source();
        }
        if let Some(hint) = self.hint() {
            text.push_str(&format!("\nhint: {hint}"));
        }
        text
    }

    /// Writes the report to standard error.
    pub(crate) fn print(&self) {
        // Nobody is left to tell if standard error is closed.
        let _ = writeln!(std::io::stderr(), "{}", self.report());
    }

    fn hint(&self) -> Option<String> {
        if self.is_disk_full() {
            return Some(
                "the disk is full; nothing was changed: make room and run the command again"
                    .to_owned(),
            );
        }
        match self {
            Self::Interrupted => {
                Some("run the command again: it goes on where it stopped".to_owned())
            }
            Self::Folder(FolderError::Repo(source)) | Self::Repo(source) => repo_hint(source),
            Self::Folder(source) => folder_hint(source),
            Self::Store(source) => store_hint(source),
            Self::Ref(source) => ref_hint(source),
            Self::Access(source) => access_hint(source),
            Self::Upkeep(UpkeepError::ShortGrace { .. }) => Some(
                "say --alone if nobody else uses the store meanwhile, no server either".to_owned(),
            ),
            Self::Upkeep(UpkeepError::OtherCollection) => {
                Some("run it again when that one is done".to_owned())
            }
            Self::Upkeep(UpkeepError::SlowList { .. }) => {
                Some("run it nearer to the store, or with more --jobs".to_owned())
            }
            Self::Found { hint, .. } => hint.map(str::to_owned),
            Self::Note { source: NoteError::Untrusted { .. }, .. } => {
                Some("give the verifier key of whoever made it with --key".to_owned())
            }
            Self::Unguarded { .. } => Some(
                "`cas token create --actor NAME --scope read` makes a token, and a server that \
                 asks for tokens may listen anywhere; or listen on 127.0.0.1"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// Whether the system said somewhere in the chain that there is no room.
    fn is_disk_full(&self) -> bool {
        let mut source: Option<&(dyn Error + 'static)> = self.source();
        if let Self::Io { source, .. } = self {
            return is_full(source);
        }
        while let Some(cause) = source {
            if cause.downcast_ref::<std::io::Error>().is_some_and(is_full) {
                return true;
            }
            source = cause.source();
        }
        false
    }
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

fn folder_hint(error: &FolderError) -> Option<String> {
    Some(match error {
        FolderError::InTheWay { .. } => {
            "move these files away, or give them up with --force (--force --dry-run only tells what it would do)".to_owned()
        }
        FolderError::CannotImport { .. } => {
            "rename these files, or leave them out with --exclude or a .casignore file".to_owned()
        }
        FolderError::Changed { .. } => "let the program that writes it finish, and import again".to_owned(),
        FolderError::WouldEmpty { .. } => {
            "if the branch is really to lose all its files, say --allow-empty".to_owned()
        }
        FolderError::CannotLink { .. } => "without --link the files are copied".to_owned(),
        FolderError::NotACheckout { .. } => "`cas checkout REV DIR` makes one".to_owned(),
        FolderError::Unfinished { .. } => {
            "run `cas checkout` again: it goes on where it was interrupted".to_owned()
        }
        FolderError::Store(source) | FolderError::Content { source, .. } => return store_hint(source),
        _ => return None,
    })
}

fn repo_hint(error: &RepoError) -> Option<String> {
    Some(match error {
        RepoError::NoBook { book } if book.as_str().bytes().all(|b| b.is_ascii_hexdigit()) => {
            "`cas books` lists the books; an id is given by its first 8 or more digits".to_owned()
        }
        RepoError::NoBook { .. } => {
            "`cas books` lists the books, `cas import DIR BOOK` makes one".to_owned()
        }
        RepoError::NoRef { book, .. } => {
            format!("`cas branch list {book}` and `cas tag list {book}` show what there is")
        }
        // A tag is deleted for ever.
        RepoError::Deleted { book, name } if !name.is_tag() => {
            format!("`cas branch restore {book}@{name}` brings it back")
        }
        RepoError::RefMoved { .. } => {
            "somebody else changed it: look at it, and run the command again".to_owned()
        }
        RepoError::NotAsExpected { path, current: Some(id), .. } => {
            format!("look at what {path} is now, then try again with --expect {id}")
        }
        RepoError::NotAsExpected { path, .. } => format!("to make {path} anew, say --create"),
        RepoError::Exists { current: Some(id), .. } => {
            format!("to replace what is there, say --expect {id}")
        }
        RepoError::PreconditionRequired { current, .. } => format!("say --expect {current}"),
        RepoError::Ambiguous { .. } => "give more digits".to_owned(),
        RepoError::RemoveFolder { .. } => {
            "to remove it with everything in it, say --recursive".to_owned()
        }
        RepoError::Schema { .. } => {
            "`cas validate DIR` checks a folder against its book.toml without writing anything; \
             docs/schema.md has the rules"
                .to_owned()
        }
        RepoError::Store(source) => return store_hint(source),
        RepoError::Ref(source) => return ref_hint(source),
        _ => return None,
    })
}

fn ref_hint(error: &RefError) -> Option<String> {
    Some(match error {
        RefError::FateUnknown { book, name, .. } => {
            format!("`cas reflog {book}@{name}` shows whether it moved")
        }
        RefError::Damaged { book, name, .. } => {
            format!("`cas verify-log {book}@{name}` checks the whole log")
        }
        RefError::Store(source) => return store_hint(source),
        _ => return None,
    })
}

fn access_hint(error: &AccessError) -> Option<String> {
    Some(match error {
        AccessError::NoToken { .. } => "`cas token list` shows what there is".to_owned(),
        AccessError::Ambiguous { .. } => "give more digits".to_owned(),
        AccessError::DamagedToken { id, .. } => {
            format!("restore it from a copy of the store, or `cas token revoke {id}`")
        }
        AccessError::Store(source) => return store_hint(source),
        _ => return None,
    })
}

fn store_hint(error: &StoreError) -> Option<String> {
    Some(match error {
        StoreError::Backend { .. } => return error.cause()?.remedy.map(str::to_owned),
        StoreError::Closed => {
            "`cas doctor` proves the bucket again; `cas doctor --single-writer` opens it for one writer at a time".to_owned()
        }
        StoreError::Unsafe { reason, .. } if reason.starts_with("cannot write") => {
            "use credentials that may read, write and list".to_owned()
        }
        StoreError::Unsafe { .. } => {
            "use another bucket, or say --single-writer if only one writer will ever work on it at a time".to_owned()
        }
        StoreError::Credentials { .. } => "`cas config show` tells what was found".to_owned(),
        StoreError::NoBucket { .. } => {
            "run this on the server's machine, with --store naming the folder or bucket".to_owned()
        }
        StoreError::Remote(source) => return remote_hint(source),
        StoreError::NoStore { location } if location.contains('?') => {
            format!("`cas --store '{location}' init` makes one")
        }
        StoreError::NoStore { location } => format!("`cas --store {location} init` makes one"),
        StoreError::NotEmpty { .. } => {
            "choose an empty folder or one that does not exist yet, or another prefix in the bucket".to_owned()
        }
        StoreError::BadMarker { source: DecodeError::UnknownVersion { .. }, .. } => {
            "a newer version of cas may know this format".to_owned()
        }
        StoreError::BadMarker { .. } => {
            "restore its file `cas-format` from a copy of the store; nothing was changed".to_owned()
        }
        StoreError::Collected { kind: Kind::Commit, .. } => {
            "no branch or tag kept that version, and `cas gc --keep-log` said to keep no older ones"
                .to_owned()
        }
        StoreError::Collected { .. }
        | StoreError::TakenBack { .. }
        | StoreError::TookTooLong { .. } => {
            "run the command again: what is still there is not sent twice".to_owned()
        }
        StoreError::BadGcLog { .. } => {
            "restore it from a copy of the store; until then no ref moves to anything new".to_owned()
        }
        StoreError::Damaged { .. } | StoreError::Missing { .. } => {
            "nothing that names it was changed; `cas fsck` tells what else is wrong, and `cas fsck \
             --repair-from LOCATION` takes it from a copy of the store"
                .to_owned()
        }
        _ => return None,
    })
}

fn remote_hint(error: &RemoteError) -> Option<String> {
    Some(match error {
        RemoteError::Unreachable { .. } => {
            "check the address and that the server runs (`cas serve`)".to_owned()
        }
        RemoteError::Broken { .. } | RemoteError::Silent { .. } => {
            "run the command again: it goes on where it stopped".to_owned()
        }
        RemoteError::NoServer { .. } => {
            "check the address: a server's store is http://HOST:PORT, or what is before /v1"
                .to_owned()
        }
        RemoteError::Lie { .. } => {
            "nothing of it was used; whoever runs the server may find the reason".to_owned()
        }
        RemoteError::Refused { status: 401 | 403, .. } => {
            "the token comes from the variable CAS_TOKEN: `cas config show` tells whether it is set"
                .to_owned()
        }
        _ => return None,
    })
}
