//! A folder as an object store: durable, atomic and listed in order.
//!
//! [`LocalStore`] implements [`object_store::ObjectStore`] in place of that crate's
//! `LocalFileSystem`, which does not sync by default, lists unsorted and hops to another thread
//! for every small operation; `docs/decisions/0004-own-local-store.md` has the figures.
//!
//! What it promises:
//!
//! - A put is visible whole or not at all, and survives a power cut once it has returned.
//! - `PutMode::Create` has exactly one winner: the new file is linked to its key, and a link
//!   fails when the name exists.
//! - [`Stage`] makes many objects durable together with a few syncs instead of one each.
//!
//! - What a process that was killed left without syncing it is made durable before anybody relies
//!   on it.
//!
//! Unfinished files live under `tmp/`, which no key may begin with; those of a process that died
//! are removed by the next one that opens the store.
//!
//! Calls do their disk work on the calling thread: the work is short, and a hop to a pool costs
//! several times as much.

mod disk;
mod fresh;
mod list;
mod newest;
#[doc(hidden)]
pub mod record;
mod stage;
mod temp;
mod upload;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path as Key;
use object_store::{
    Attributes, CopyMode, CopyOptions, Error, Extensions, GetOptions, GetResult, GetResultPayload,
    ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result,
};

pub(crate) use fresh::Fresh;
pub(crate) use stage::Stage;

use disk::{Disk, Made};
use temp::{TempFile, TempFolder};

use super::layout;

/// The folder of unfinished files.
const TEMP: &str = "tmp";

/// A folder on a disk, as an object store.
#[derive(Debug, Clone)]
pub struct LocalStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    disk: Arc<Disk>,
    temp: TempFolder,
}

impl LocalStore {
    /// Opens the folder `root`, which must exist.
    pub fn open(root: &Path) -> std::io::Result<Self> {
        Self::over(Disk::open(root, None)?)
    }

    /// The same, telling `recorder` what the disk is asked to do.
    #[doc(hidden)]
    pub fn recorded(root: &Path, recorder: Arc<dyn record::Recorder>) -> std::io::Result<Self> {
        Self::over(Disk::open(root, Some(recorder))?)
    }

    fn over(disk: Disk) -> std::io::Result<Self> {
        temp::settle_abandoned(&disk)?;
        let inner = Inner { disk: Arc::new(disk), temp: TempFolder::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Opens the folder `root`, making it and its parents, durably, if they do not exist.
    pub fn create(root: &Path) -> std::io::Result<Self> {
        let root = std::path::absolute(root)?;
        let missing: Vec<_> = root.ancestors().take_while(|folder| !folder.exists()).collect();
        std::fs::create_dir_all(&root)?;
        for folder in missing {
            if let Some(above) = folder.parent() {
                std::fs::File::open(above)?.sync_all()?;
            }
        }
        Self::open(&root)
    }

    /// Whether the folder holds nothing but what this program may have left there.
    pub fn is_empty(&self) -> std::io::Result<bool> {
        let names = self.inner.disk.names("")?;
        let ours = [TEMP, layout::PROOFS, "lost+found"];
        Ok(names.iter().all(|name| ours.contains(&name.as_str())))
    }

    /// The folder.
    pub(crate) fn root(&self) -> &Path {
        self.inner.disk.root()
    }

    /// Removes `folder` and the folders right in it, as far as they are empty.
    pub(crate) fn remove_empty_folder(&self, folder: &Key) {
        let disk = &self.inner.disk;
        for name in disk.names(folder.as_ref()).unwrap_or_default() {
            // What is not empty stays, and does no harm.
            let _ = disk.remove_folder(&format!("{folder}/{name}"));
        }
        let _ = disk.remove_folder(folder.as_ref());
    }

    /// The first key, in order, right below `folder`; `None` if there is none.
    pub(crate) fn first_below(&self, folder: &Key) -> std::io::Result<Option<String>> {
        match self.inner.disk.names(folder.as_ref()) {
            Ok(names) => Ok(names.into_iter().min()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes everything durable that was done until now, deletions too.
    pub(crate) fn sync(&self) -> std::io::Result<()> {
        self.inner.disk.sync_everything()
    }

    /// Begins a batch of objects that become durable together.
    pub(crate) fn stage(&self) -> std::io::Result<Stage> {
        Stage::new(self.clone())
    }

    fn temp_file(&self) -> std::io::Result<TempFile> {
        self.inner.temp.file(&self.inner.disk)
    }

    /// Gives a finished, synced file its key and makes the name durable.
    fn settle(&self, temp: TempFile, key: &Key, mode: &PutMode) -> Result<PutResult> {
        let disk = &self.inner.disk;
        let made = match mode {
            PutMode::Create => disk.link_new(temp.path(), key.as_ref()),
            PutMode::Overwrite => disk.rename(temp.path(), key.as_ref()),
            PutMode::Update(_) => {
                return Err(Error::NotImplemented {
                    operation: "`put_opts` with `PutMode::Update`".to_owned(),
                    implementer: self.to_string(),
                });
            }
        };
        match made.map_err(|error| failed(key, error))? {
            Made::Existed => {
                let source = std::io::Error::from(std::io::ErrorKind::AlreadyExists).into();
                return Err(Error::AlreadyExists { path: key.to_string(), source });
            }
            Made::Moved => temp.forget(),
            Made::Linked => drop(temp),
        }
        disk.sync_name(key.as_ref()).map_err(|error| failed(key, error))?;
        let stat = disk.stat(key.as_ref()).map_err(|error| failed(key, error))?;
        Ok(PutResult {
            e_tag: Some(disk::e_tag(&stat)),
            version: None,
            extensions: Extensions::default(),
        })
    }
}

impl fmt::Display for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner.disk.root().display())
    }
}

#[async_trait]
impl ObjectStore for LocalStore {
    async fn put_opts(
        &self,
        key: &Key,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        check(key)?;
        let mut temp = self.temp_file().map_err(|error| failed(key, error))?;
        for part in &payload {
            temp.write(part).map_err(|error| failed(key, error))?;
        }
        temp.sync().map_err(|error| failed(key, error))?;
        self.settle(temp, key, &options.mode)
    }

    async fn put_multipart_opts(
        &self,
        key: &Key,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        check(key)?;
        let temp = self.temp_file().map_err(|error| failed(key, error))?;
        Ok(Box::new(upload::Upload::new(self.clone(), key.clone(), temp)))
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> Result<GetResult> {
        if check(key).is_err() {
            return Err(failed(key, std::io::ErrorKind::NotFound.into()));
        }
        let (file, stat) =
            self.inner.disk.read(key.as_ref()).map_err(|error| failed(key, error))?;
        let meta = disk::meta(key.clone(), &stat);
        options.check_preconditions(&meta)?;
        let range = match &options.range {
            None => 0..meta.size,
            Some(range) => range
                .as_range(meta.size)
                .map_err(|source| Error::Generic { store: "local", source: source.into() })?,
        };
        let payload = if options.head {
            GetResultPayload::Stream(stream::empty().boxed())
        } else {
            GetResultPayload::File(file, self.inner.disk.root().join(key.as_ref()))
        };
        Ok(GetResult {
            payload,
            meta,
            range,
            attributes: Attributes::default(),
            extensions: Extensions::default(),
        })
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, Result<Key>>,
    ) -> BoxStream<'static, Result<Key>> {
        let store = self.clone();
        keys.map(move |key| {
            let key = key?;
            check(&key)?;
            match store.inner.disk.remove(key.as_ref()) {
                Ok(()) => Ok(key),
                // Deletion is idempotent, as on every bucket.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(key),
                Err(error) => Err(failed(&key, error)),
            }
        })
        .boxed()
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::iter(list::Walk::new(self.clone(), prefix, None)).boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Key>,
        offset: &Key,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::iter(list::Walk::new(self.clone(), prefix, Some(offset.clone()))).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> Result<ListResult> {
        list::one_level(self, prefix)
    }

    async fn copy_opts(&self, from: &Key, to: &Key, options: CopyOptions) -> Result<()> {
        check(from)?;
        check(to)?;
        let (mut file, _) =
            self.inner.disk.read(from.as_ref()).map_err(|error| failed(from, error))?;
        let mut temp = self.temp_file().map_err(|error| failed(to, error))?;
        temp.copy_from(&mut file).map_err(|error| failed(to, error))?;
        temp.sync().map_err(|error| failed(to, error))?;
        let mode = match options.mode {
            CopyMode::Overwrite => PutMode::Overwrite,
            CopyMode::Create => PutMode::Create,
        };
        self.settle(temp, to, &mode).map(|_| ())
    }
}

/// Refuses keys in the folder of unfinished files.
fn check(key: &Key) -> Result<()> {
    if key.parts().next().is_some_and(|first| first.as_ref() == TEMP) || key.as_ref().is_empty() {
        let source = format!("`{TEMP}/` holds unfinished files, not keys").into();
        return Err(Error::NotSupported { source });
    }
    Ok(())
}

/// The store's error for an I/O error at `key`.
fn failed(key: &Key, error: std::io::Error) -> Error {
    let path = key.to_string();
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            Error::NotFound { path, source: error.into() }
        }
        std::io::ErrorKind::PermissionDenied => {
            Error::PermissionDenied { path, source: error.into() }
        }
        _ => Error::Generic { store: "local", source: error.into() },
    }
}
