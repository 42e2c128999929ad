//! Folders of the disk: import from and checkout to them.
//!
//! Both keep an index of what they saw, so that a file that has not changed is not read again.
//! Everything below a folder is reached by handles of directories, never through a symlink.
//!
//! **Architecture invariant:** nothing here writes outside the folder it was given, whatever the
//! tree or the folder holds.

mod checkout;
mod error;
mod handle;
mod ignored;
mod import;
mod index;
mod link;
mod plan;
mod progress;
mod proof;
mod read;
mod root;
mod scan;
mod stat;
mod status;
mod validate;
mod write;

pub use checkout::{CheckoutOptions, CheckoutReport};
pub use error::{FolderError, InTheWay};
pub use import::{ImportMode, ImportOptions, ImportReport};
pub use progress::{NoProgress, Progress, Step};
pub use status::{FolderState, FolderStatus, StatusItem, status};
pub use validate::validate;

pub(crate) use index::read_again as index_again;

/// The folder inside a checkout that holds its index.
pub const STATE_FOLDER: &str = ".cas";
