//! `cas archive`

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use cas_core::name::Revision;
use cas_core::repo::{ArchiveFormat, ArchiveRequest, Globs, Pieces, Source};
use clap::Args;
use futures::StreamExt;
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::args::FolderArg;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::{count, human_bytes};

/// Write a version, or part of it, as one archive
///
/// The same version, format and choice always give the same bytes. Files keep their paths in the
/// book. A file that is named with -o appears only when all of the archive is right.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas archive guide -o guide.zip                     The newest version
  cas archive guide@tags/v1 --format tar | tar -x    ... of a tag, unpacked at once
  cas archive guide --path ch1 --glob '**/*.md' -o ch1.tar.zst")]
pub(crate) struct Archive {
    /// The version, e.g. guide or guide@draft~1: see `cas --help`
    #[arg(value_name = "REV")]
    revision: Revision,
    /// `tar`, `tar.zst` or `zip` (default: what the ending of FILE says, else tar)
    #[arg(long)]
    format: Option<ArchiveFormat>,
    /// Only this file or folder
    #[arg(long, default_value = ".", hide_default_value = true)]
    path: FolderArg,
    /// Only files whose path in the book matches: `*` within a folder, `**` across; may be repeated
    #[arg(long, short, value_name = "PATTERN")]
    glob: Vec<String>,
    /// Where to write it; `-` is standard output
    #[arg(long, short, value_name = "FILE", default_value = "-", hide_default_value = true)]
    output: PathBuf,
}

#[derive(Debug, Serialize)]
struct View {
    book: String,
    commit: String,
    source: Source,
    tree: String,
    format: String,
    file: String,
    files: usize,
    bytes: u64,
}

impl Archive {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let to_stdout = self.output.as_os_str() == "-";
        if to_stdout && io::stdout().is_terminal() {
            return Err(CommandError::Usage(
                "an archive is nothing for a terminal: say -o FILE, or pipe it somewhere"
                    .to_owned(),
            ));
        }
        if to_stdout && context.output.is_json() {
            return Err(CommandError::Usage(
                "an archive and JSON cannot both go to standard output: say -o FILE".to_owned(),
            ));
        }
        let globs = Globs::parse(self.glob.iter().cloned())?;
        let version = context.reading(&self.revision).await?;
        let format = self.format();
        let tree = version.tree;
        let request = ArchiveRequest { tree, format, path: self.path.0.clone(), globs };
        let archive = version.repo.archive(&request).await?;
        let files = archive.files();
        if to_stdout {
            copy(archive.stream(), &mut io::stdout(), "standard output").await?;
            return Ok(());
        }
        let bytes = write_file(archive.stream(), &self.output).await?;
        let view = View {
            book: version.book.to_string(),
            commit: version.id.to_string(),
            source: version.source,
            tree: tree.to_string(),
            format: format.to_string(),
            file: self.output.display().to_string(),
            files,
            bytes,
        };
        context.output.answer(&view, |out| {
            let files = count(files, "file", "files");
            writeln!(out, "{}: {files}, {}", self.output.display(), human_bytes(bytes))
        })
    }

    fn format(&self) -> ArchiveFormat {
        let name = self.output.to_string_lossy();
        let says = |format: &ArchiveFormat| name.ends_with(&format!(".{format}"));
        let said = ArchiveFormat::ALL.into_iter().find(says);
        self.format.or(said).unwrap_or(ArchiveFormat::Tar)
    }
}

/// Writes the archive beside its place and moves it there when all of it is right.
async fn write_file(pieces: Pieces, path: &Path) -> Result<u64, CommandError> {
    let shown = path.display().to_string();
    let failed = || CommandError::io(format!("write {shown}"));
    // A device or a pipe is written to, not replaced.
    if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        let mut out = std::fs::File::options().write(true).open(path).map_err(failed())?;
        return copy(pieces, &mut out, &shown).await;
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = new_file(folder).map_err(failed())?;
    let bytes = copy(pieces, file.as_file_mut(), &shown).await?;
    file.persist(path).map_err(|error| failed()(error.error))?;
    Ok(bytes)
}

fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    // As any new file, within what the user's mask allows.
    let permissions = std::fs::Permissions::from_mode(0o666);
    tempfile::Builder::new().prefix(".cas-archive-").permissions(permissions).tempfile_in(folder)
}

/// Copies everything, as far as somebody reads it.
async fn copy(mut pieces: Pieces, out: &mut impl Write, what: &str) -> Result<u64, CommandError> {
    let mut bytes = 0;
    while let Some(piece) = pieces.next().await.transpose()? {
        match out.write_all(&piece) {
            // The reader has seen enough, as in `cas archive guide | tar -t | head`.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(bytes),
            written => written.map_err(CommandError::io(format!("write to {what}")))?,
        }
        bytes += piece.len() as u64;
    }
    out.flush().map_err(CommandError::io(format!("write to {what}")))?;
    Ok(bytes)
}
