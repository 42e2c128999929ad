//! The rules of a book, at every door and on real books.

mod doors;
mod presets;
mod told;
mod validate;

use cas_core::name::BookPath;
use cas_core::object::EntryKind;
use cas_core::schema::{BookFile, Preset, SchemaFile, Violation};

/// A book whose pages live below `content/`.
const RULES: &str =
    "[[schema.allow]]\npattern = \"content/**\"\nmessage = \"pages live below content/\"\n";

/// What a preset says of files of these names.
fn checked(preset: Preset, paths: &[String]) -> Vec<Violation> {
    let file = |path: &String| SchemaFile {
        path: BookPath::parse(path).unwrap(),
        kind: EntryKind::File,
        size: 100,
    };
    BookFile::of_preset(preset).check(&paths.iter().map(file).collect::<Vec<_>>())
}
