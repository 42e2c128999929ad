//! Files of a checkout that are other names of the store's own objects.
//!
//! Such a file takes no room and is made without a byte being written. But whoever writes to it
//! writes to the store, and to every other checkout that has it. An object is read-only from the
//! moment it is made, which keeps out everybody but the superuser and those who change its mode;
//! an object that is not so is copied instead of linked, as is one that has no room for another
//! name.

use std::collections::BTreeMap;

use futures::StreamExt;
use rustix::io::Errno;

use super::FolderError;
use super::handle::Handle;
use super::plan::Write;
use super::stat::Fingerprint;
use super::write::{Writer, Written, check_size};
use crate::limits;
use crate::name::BlobId;
use crate::object::{EntryKind, Kind};
use crate::repo::Leaf;
use crate::store::{StoreError, layout};

impl Writer {
    /// Makes `target` in `folder` another name of the blob's object, after verifying the object as
    /// if it were copied. Its status; `None` if it has to be copied.
    pub(super) async fn link_object(
        &self,
        write: &Write,
        folder: &Handle,
        target: &str,
    ) -> Result<Option<Fingerprint>, FolderError> {
        let Leaf { path, kind, id, size } = &write.leaf;
        let Some(objects) = self.objects(id)?.filter(|_| *kind == EntryKind::File) else {
            return Ok(None);
        };
        let verified = self.verify(id, *size).await;
        verified.map_err(|source| FolderError::Content { path: path.clone(), source })?;
        let key = layout::object(Kind::Blob, id.hash());
        let linked = objects.link(key.as_ref(), folder, target);
        match linked.map_err(|error| (Errno::from_io_error(&error), error)) {
            Ok(()) => {}
            Err((Some(Errno::MLINK | Errno::NOENT), _)) => return Ok(None),
            Err((Some(Errno::XDEV), _)) => {
                return Err(self.cannot_link("it is on another file system than the store"));
            }
            Err((Some(Errno::PERM | Errno::NOTSUP), _)) => {
                let reason = "the system does not let this user link the store's files";
                return Err(self.cannot_link(reason));
            }
            Err((_, source)) => return Err(self.io("write", path.as_str(), source)),
        }
        let failed = |source| self.io("look at", path.as_str(), source);
        let stat = folder.stat(target).map_err(failed)?.filter(Fingerprint::is_read_only);
        if stat.is_none() {
            folder.remove(target).map_err(failed)?;
        }
        Ok(stat)
    }

    /// The store's folder, if the blob may be a file in it.
    fn objects(&self, id: &BlobId) -> Result<Option<&Handle>, FolderError> {
        let Some(folder) = self.store.blob_folder(id) else {
            return Ok(None);
        };
        if self.objects.get().is_none() {
            let opened = Handle::open(folder).map_err(|source| FolderError::Io {
                action: "open",
                path: folder.to_owned(),
                source,
            })?;
            // Another thread may have been faster.
            let _ = self.objects.set(opened);
        }
        Ok(self.objects.get())
    }

    async fn verify(&self, id: &BlobId, size: u64) -> Result<(), StoreError> {
        if size <= limits::WHOLE_BYTES {
            let bytes = self.store.get_small_blob(id, size).await?;
            return check_size(id, bytes.len() as u64, size);
        }
        let mut stream = self.store.stream_blob(id).await?;
        check_size(id, stream.size, size)?;
        while let Some(piece) = stream.pieces.next().await {
            piece?;
        }
        Ok(())
    }

    /// Takes the statuses again of linked files that have each other's content: each new name
    /// changes the status of the others.
    pub(super) fn look_again(&self, written: &mut [Written]) -> Result<(), FolderError> {
        let mut names: BTreeMap<BlobId, u64> = BTreeMap::new();
        for file in written.iter().filter(|file| file.linked) {
            *names.entry(file.content.id).or_default() += 1;
        }
        let many = |file: &Written| names.get(&file.content.id).is_some_and(|names| *names > 1);
        for file in written.iter_mut().filter(|file| file.linked && many(file)) {
            let stat = self.root.stat_path(&file.path);
            let stat = stat.map_err(|source| self.io("look at", &file.path, source))?;
            file.stat = stat.unwrap_or(file.stat);
        }
        Ok(())
    }

    fn cannot_link(&self, reason: &str) -> FolderError {
        FolderError::CannotLink { path: self.path.clone(), reason: reason.to_owned() }
    }
}
