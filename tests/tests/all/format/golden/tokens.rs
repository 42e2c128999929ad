//! Golden tokens and revocations.

use cas_core::access::{Pattern, Revocation, Scope, Token, Verb};
use ciborium::Value as Cbor;

use super::super::cbor::{array, int, text};
use super::super::vector::Value;
use super::{ADA, Golden, REVOCATION, TOKEN_ID, TOKEN_PLAIN, TOKEN_SCOPES, actor, hex, id, time};

pub(super) fn tokens() -> Vec<Golden> {
    let pattern = |text| Pattern::parse(text).unwrap();
    let scope = |verb, book, refs, path| Scope {
        verb,
        book: pattern(book),
        refs: pattern(refs),
        path: pattern(path),
    };
    let scopes = Token {
        id: id(TOKEN_ID),
        actor: actor(ADA),
        scopes: vec![
            Scope::everything(Verb::Read),
            scope(Verb::Write, "rust-book", "users/*", "lessons/**"),
        ],
        created_at: time(6),
        expires_at: Some(time(7_776_000_000_006)),
        note: "Notebook of Ada".to_owned(),
    };
    let plain = Token {
        id: id(TOKEN_ID),
        actor: actor("release bot"),
        scopes: vec![scope(Verb::Admin, "rust-*", "**", "**")],
        created_at: time(0),
        expires_at: None,
        note: String::new(),
    };
    let revocation = Revocation { id: id(TOKEN_ID), actor: actor("agent/42"), revoked_at: time(7) };
    let wire = |verb, parts: [&str; 3]| {
        let [book, refs, path] = parts.map(text);
        array([int(verb), book, refs, path])
    };
    let golden = |name, id, value, fields: Vec<Cbor>| Golden {
        name,
        id,
        value,
        cbor: vec![array([int(1), hex(TOKEN_ID)].into_iter().chain(fields)), hex(id)],
    };
    vec![
        golden(
            "token_scopes",
            TOKEN_SCOPES,
            Value::Token(scopes),
            vec![
                text("Ada Lovelace <ada@example.com>"),
                array([
                    wire(0, ["**", "**", "**"]),
                    wire(1, ["rust-book", "users/*", "lessons/**"]),
                ]),
                int(1_767_225_600_000_006),
                int(1_775_001_600_000_006),
                text("Notebook of Ada"),
            ],
        ),
        golden(
            "token_plain",
            TOKEN_PLAIN,
            Value::Token(plain),
            vec![
                text("release bot"),
                array([wire(2, ["rust-*", "**", "**"])]),
                int(1_767_225_600_000_000),
                Cbor::Null,
                text(""),
            ],
        ),
        golden(
            "revocation",
            REVOCATION,
            Value::Revocation(revocation),
            vec![text("agent/42"), int(1_767_225_600_000_007)],
        ),
    ]
}
