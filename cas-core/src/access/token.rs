//! Tokens and revocations as they are stored.
//!
//! Both are named by the token's id, which says nothing about their bytes. So each is followed by
//! its own hash, as a ref log entry is, and a flipped bit is noticed.

use super::{Grant, Pattern, Scope, TokenId, Verb};
use crate::env::Timestamp;
use crate::limits;
use crate::name::{Actor, Hash};
use crate::object::check_message;
use crate::object::codec::{self, DecodeError};

/// The format version of encoded tokens and of revocations.
const VERSION: u64 = 1;

/// The length of the stored hash behind a record: a CBOR byte string of 32 bytes.
const CHECK_BYTES: usize = 34;

/// What is known of a token: everything but its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The hash of the secret.
    pub id: TokenId,
    /// In whose name changes are made.
    pub actor: Actor,
    /// What may be done: 1 to 32 scopes.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused; never, if none.
    pub expires_at: Option<Timestamp>,
    /// What it is for: at most 1,024 bytes, without NUL.
    pub note: String,
}

/// That a token is refused from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The token.
    pub id: TokenId,
    /// Who revoked it.
    pub actor: Actor,
    /// When.
    pub revoked_at: Timestamp,
}

/// The encoded fields of a token, in order.
type TokenWire = (u64, Hash, Actor, Vec<ScopeWire>, Timestamp, Option<Timestamp>, String);

/// The encoded fields of a scope, in order.
type ScopeWire = (u64, String, String, String);

/// The encoded fields of a revocation, in order.
type RevocationWire = (u64, Hash, Actor, Timestamp);

impl Token {
    /// Checks the rules across fields; a token that breaks one is not written.
    pub fn check(&self) -> Result<(), DecodeError> {
        if !(1..=limits::SCOPES).contains(&self.scopes.len()) {
            return Err(DecodeError::Rule("a token has 1 to 32 scopes".to_owned()));
        }
        for scope in &self.scopes {
            scope.check()?;
        }
        check_message(&self.note, limits::NOTE_BYTES)?;
        Ok(())
    }

    /// What it gives to whoever shows its secret.
    pub fn grant(&self) -> Grant {
        Grant::new(self.actor.clone(), self.scopes.clone())
    }

    /// Whether it is refused at this time.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// The bytes kept for it: a CBOR sequence of the token and the hash of its encoding.
    pub fn to_stored(&self) -> Vec<u8> {
        let Self { id, actor, scopes, created_at, expires_at, note } = self;
        let scopes: Vec<ScopeWire> = scopes.iter().map(scope_to_wire).collect();
        with_check(codec::encode(&(
            VERSION,
            id.hash(),
            actor,
            scopes,
            created_at,
            expires_at,
            note,
        )))
    }

    /// Reads what is kept, and verifies it against the hash behind it.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, DecodeError> {
        let body = checked(bytes, limits::TOKEN_BYTES)?;
        let (_, id, actor, scopes, created_at, expires_at, note): TokenWire =
            codec::decode_version(body, limits::TOKEN_BYTES, VERSION)?;
        let scopes = scopes.into_iter().map(scope_from_wire).collect::<Result<Vec<_>, _>>()?;
        let id = TokenId::from_hash(id);
        let token = Self { id, actor, scopes, created_at, expires_at, note };
        token.check()?;
        Ok(token)
    }
}

impl Revocation {
    /// The bytes kept for it: a CBOR sequence of the revocation and the hash of its encoding.
    pub fn to_stored(&self) -> Vec<u8> {
        let Self { id, actor, revoked_at } = self;
        with_check(codec::encode(&(VERSION, id.hash(), actor, revoked_at)))
    }

    /// Reads what is kept, and verifies it against the hash behind it.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, DecodeError> {
        let body = checked(bytes, limits::REVOCATION_BYTES)?;
        let (_, id, actor, revoked_at): RevocationWire =
            codec::decode_version(body, limits::REVOCATION_BYTES, VERSION)?;
        Ok(Self { id: TokenId::from_hash(id), actor, revoked_at })
    }
}

fn scope_to_wire(scope: &Scope) -> ScopeWire {
    let Scope { verb, book, refs, path } = scope;
    (verb.number(), book.to_string(), refs.to_string(), path.to_string())
}

fn scope_from_wire((verb, book, refs, path): ScopeWire) -> Result<Scope, DecodeError> {
    let verb = Verb::from_number(verb)
        .ok_or_else(|| DecodeError::Rule(format!("{verb} stands for no verb")))?;
    let (book, refs) = (Pattern::parse(&book)?, Pattern::parse(&refs)?);
    Ok(Scope { verb, book, refs, path: Pattern::parse(&path)? })
}

/// `body` and its hash.
fn with_check(mut body: Vec<u8>) -> Vec<u8> {
    let hash = Hash::of(&body);
    body.extend(codec::encode(&hash));
    body
}

/// What stands before the hash of itself.
fn checked(bytes: &[u8], limit: usize) -> Result<&[u8], DecodeError> {
    if bytes.len() > limit {
        return Err(DecodeError::TooLong { len: bytes.len(), limit });
    }
    let Some((body, check)) = bytes.len().checked_sub(CHECK_BYTES).map(|at| bytes.split_at(at))
    else {
        return Err(DecodeError::Malformed { reason: "shorter than a hash".to_owned() });
    };
    let hash: Hash = codec::decode(check, CHECK_BYTES)?;
    if Hash::of(body) != hash {
        return Err(DecodeError::Rule("the bytes do not hash to what stands behind".to_owned()));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token {
            id: TokenId::from_hash(Hash::of(b"secret")),
            actor: Actor::parse("ada").unwrap(),
            scopes: ["read", "write:guide:users/*:docs/**"]
                .map(|scope| Scope::parse(scope).unwrap())
                .into(),
            created_at: Timestamp::from_micros(5),
            expires_at: Some(Timestamp::from_micros(7)),
            note: "build".to_owned(),
        }
    }

    fn revocation() -> Revocation {
        let actor = Actor::parse("eve").unwrap();
        Revocation { id: token().id, actor, revoked_at: Timestamp::from_micros(6) }
    }

    #[test]
    fn reads_back_what_it_stored_and_notices_every_flipped_bit() {
        let bytes = token().to_stored();
        assert_eq!(Token::from_stored(&bytes).unwrap(), token());
        let revoked = revocation().to_stored();
        assert_eq!(Revocation::from_stored(&revoked).unwrap(), revocation());
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Token::from_stored(&bad).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(Token::from_stored(&bytes[..len]).is_err(), "{len} bytes");
        }
        for len in 0..revoked.len() {
            assert!(Revocation::from_stored(&revoked[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn a_record_of_one_kind_is_none_of_the_other() {
        assert!(Token::from_stored(&revocation().to_stored()).is_err());
        assert!(Revocation::from_stored(&token().to_stored()).is_err());
    }

    #[test]
    fn rejects_bad_fields_though_their_hash_is_right() {
        for bad in [
            Token { scopes: Vec::new(), ..token() },
            Token { scopes: vec![Scope::everything(Verb::Read); 33], ..token() },
            Token { note: "a\0".to_owned(), ..token() },
            Token { note: "x".repeat(1025), ..token() },
        ] {
            assert!(bad.check().is_err() && Token::from_stored(&bad.to_stored()).is_err());
        }
        let wire = |verb: u64, book: &str, actor: &str, version: u64| {
            let scopes = vec![(verb, book, "**", "**")];
            let fields = (version, Hash::of(b"s"), actor, scopes, 1_u64, Option::<u64>::None, "");
            Token::from_stored(&with_check(codec::encode(&fields)))
        };
        assert!(wire(2, "guide", "ada", 1).is_ok());
        assert!(wire(3, "guide", "ada", 1).is_err());
        assert!(wire(0, "Guide", "ada", 1).is_err());
        assert!(wire(0, "a/b", "ada", 1).is_err());
        assert!(wire(0, "guide", "system", 1).is_err());
        let newer = wire(0, "guide", "ada", 2);
        assert_eq!(newer, Err(DecodeError::UnknownVersion { found: 2, known: 1 }));
    }

    #[test]
    fn expires_at_the_very_moment_it_says() {
        let at = Timestamp::from_micros;
        assert!(!token().is_expired(at(6)) && token().is_expired(at(7)));
        assert!(!Token { expires_at: None, ..token() }.is_expired(at(u64::MAX)));
    }

    #[test]
    fn the_largest_token_fits_its_limit() {
        let pattern =
            Pattern::parse(&format!("*{}", "x".repeat(limits::PATTERN_BYTES - 1))).unwrap();
        let scope = Scope {
            verb: Verb::Admin,
            book: pattern.clone(),
            refs: pattern.clone(),
            path: pattern,
        };
        let largest = Token {
            actor: Actor::parse(&"a".repeat(limits::ACTOR_BYTES)).unwrap(),
            scopes: vec![scope; limits::SCOPES],
            created_at: Timestamp::from_micros(u64::MAX),
            expires_at: Some(Timestamp::from_micros(u64::MAX)),
            note: "n".repeat(limits::NOTE_BYTES),
            ..token()
        };
        assert_eq!(Token::from_stored(&largest.to_stored()).unwrap(), largest);
        let actor = largest.actor;
        let revoked =
            Revocation { actor, revoked_at: Timestamp::from_micros(u64::MAX), ..revocation() };
        assert_eq!(Revocation::from_stored(&revoked.to_stored()).unwrap(), revoked);
    }
}
