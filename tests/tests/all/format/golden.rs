//! The golden vectors built from values, and what each must be as generic CBOR.
//!
//! The two are written out apart from one another on purpose: the one says what the code makes,
//! the other what the document promises.

mod commits;
mod entries;
mod tokens;
mod trees;

use std::str::FromStr;

use cas_core::env::Timestamp;
use cas_core::name::{Actor, NameError};
use cas_core::object::Metadata;
use cas_core::store::{Marker, Writers};
use ciborium::Value as Cbor;

pub(super) use trees::INTRO;

use super::cbor::{array, bytes, int, text};
use super::vector::{Value, from_hex};

pub(super) const TREE_EMPTY: &str =
    "2186aa6cefc1ae2f427b90e61a3ab91c88573f6f6719ca0188098d681b6c80ca";
pub(super) const TREE_LESSONS: &str =
    "28b6ed73dfd93aee4242c1a9896477e197038022fbd7bdb6890c8e2cac103a4a";
pub(super) const TREE_EVERY_KIND: &str =
    "9510b06db7a428cfcdcc2d303efe459980fc52600e6c368d3ff95fc870acf6b0";
const TREE_NESTED: &str = "f3d71b0f8444a1b8fdcf36edbc6ce9f7c98fc832e0432c4a2f5a86d3225744dd";
const TREE_INTEGER_WIDTHS: &str =
    "970cbfc7682cac9b67104e1c8c5d269fa727ae436d159a9d096668091979f5bf";
pub(super) const COMMIT_FIRST: &str =
    "6e734d8d06c2484cc569194e2ef18ca3e2b5605341f59ac5c0ebd65c0dbe5c15";
const COMMIT_SECOND: &str = "cc58f50ed9614c9c9ea4bf69e16875b2db37ea9c014a1621e08302e4ef17f8f7";
const COMMIT_MERGE: &str = "2c2fdedcd08eb088763ed883cc9fedb052ab25dfd28596027c78b62ebae2781b";
const ENTRY_FIRST: &str = "ddb1570fc2926d5de3d2839702083049bfbf7c25ac5fac28641c99a715695396";
const ENTRY_SECOND: &str = "5d7d1f2d5737f90eceacafa4b8f83095a7f76326da714d792db0aaf3a8f9f21b";
const ENTRY_SIGNED: &str = "be97522605d9265f5758959ac97af0a3ecc6aedfab2a8695ac1fc5f033b44f00";
const ENTRY_BRANCH: &str = "048096a2e2d03017a0bf25951a87360bc43e9ad44fb20c4e60d631759c13bb70";
const ENTRY_DELETION: &str = "44abff3dd9881a6bb2a64fe637ba66341f0ff186e15335d04214f758239019e3";
const ENTRY_TAG: &str = "2c39dd5488285ec364d45bac895f4ab8dd7e92dceb61f79d71ef648af01ad6b3";

/// The token of the vectors: 32 bytes from 0 to 31.
pub(super) const SECRET: &str =
    "cas_000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f10176fd9";
pub(super) const TOKEN_ID: &str =
    "5d7929c6f43ed6534b6b923b69bf96ae8f32d42e8040e228396b664c1015f523";
const TOKEN_SCOPES: &str = "2e5fa5213acbf72b266ce23910f7a22bc5ed14f833237020ca1b5ff147e73de0";
const TOKEN_PLAIN: &str = "dad6525956e5c255487b478fe0f0ad3be4007055d3fde24ebf6250e9da399936";
const REVOCATION: &str = "fa44a533d3b1a8c1700a2e559b9e8c670feb69703cf4ca2f354f52a4fd19ad06";

/// The key that signs: its seed is the 32 bytes from 0 to 31.
pub(super) const SIGNING_KEY: &str =
    "PRIVATE+KEY+books.example.org+6f014858+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
pub(super) const VERIFIER_KEY: &str =
    "books.example.org+6f014858+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
/// Its signature of `entry_signed`, made by another program.
const SIGNATURE: &str = "books.example.org bwFIWKp3/xXvEk9P5WjZlZXa5wPzygsvZFZAfPageJG/SLGFpqJ29WdYFcxDaXqyolGZIuE/P14m7Jx2onYuzgaDww8=";

/// 2026-01-01T00:00:00Z in microseconds.
const NEW_YEAR: u64 = 1_767_225_600_000_000;
const ADA: &str = "Ada Lovelace <ada@example.com>";

/// One golden vector.
pub(super) struct Golden {
    /// The name of its file.
    pub(super) name: &'static str,
    /// The id, or the hash that is stored behind it; empty for the marker, which has none.
    pub(super) id: &'static str,
    /// The value in code.
    pub(super) value: Value,
    /// The value as generic CBOR, one for each item of the sequence.
    pub(super) cbor: Vec<Cbor>,
}

/// All golden vectors.
pub(super) fn all() -> Vec<Golden> {
    let mut all = vec![marker(), marker_one_writer(), marker_no_writer()];
    all.extend(trees::trees());
    all.extend(commits::commits());
    all.extend(entries::entries());
    all.extend(tokens::tokens());
    all
}

fn marker() -> Golden {
    Golden {
        name: "marker",
        id: "",
        value: Value::Marker(Marker { created_at: time(0), writers: Writers::Any }),
        cbor: vec![array([int(1), text("blake3"), int(NEW_YEAR)])],
    }
}

/// A store in a bucket without put-if-absent, which one writer at a time may use.
fn marker_one_writer() -> Golden {
    Golden {
        name: "marker_one_writer",
        id: "",
        value: Value::Marker(Marker { created_at: time(0), writers: Writers::One }),
        cbor: vec![array([int(2), text("blake3"), int(NEW_YEAR), text("one")])],
    }
}

/// The same where nobody may write.
fn marker_no_writer() -> Golden {
    Golden {
        name: "marker_no_writer",
        id: "",
        value: Value::Marker(Marker { created_at: time(0), writers: Writers::Nobody }),
        cbor: vec![array([int(2), text("blake3"), int(NEW_YEAR), text("nobody")])],
    }
}

/// An id of any of our types, from its digits.
fn id<T: FromStr<Err = NameError>>(digits: &str) -> T {
    digits.parse().unwrap()
}

/// A byte string from its digits.
fn hex(digits: &str) -> Cbor {
    bytes(&from_hex(digits))
}

fn actor(text: &str) -> Actor {
    Actor::parse(text).unwrap()
}

fn time(after_new_year_us: u64) -> Timestamp {
    Timestamp::from_micros(NEW_YEAR + after_new_year_us)
}

fn metadata(pairs: &[(&str, &str)]) -> Metadata {
    let mut metadata = Metadata::new();
    for (key, value) in pairs {
        metadata.insert(key, value).unwrap();
    }
    metadata
}
