//! Folders of the disk: import from and checkout to them.
