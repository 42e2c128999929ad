//! Token secrets, and the ids that stand for them wherever anything is kept or shown.

use std::fmt;
use std::str::FromStr;

use crate::env::Env;
use crate::name::{Hash, NameError};

/// What every secret begins with: a scanner that looks for leaked secrets knows it by
/// `cas_[0-9a-f]{72}`.
const START: &str = "cas_";

/// How many hex digits of the check stand behind the secret's 64.
const CHECK_DIGITS: usize = 8;

/// The contexts of the two keyed hashes (BLAKE3 `derive_key`), so that neither gives the other
/// away, and no object of the store can have the id of a token.
const ID_CONTEXT: &str = "cas 2026-01-01 token id v1";
const CHECK_CONTEXT: &str = "cas 2026-01-01 token check v1";

/// The secret that whoever holds it shows: 32 random bytes.
///
/// As text `cas_`, 64 hex digits, and 8 more that check them, so that a mistyped or cut secret is
/// known for one without asking a store. It is shown once, when it is made, and kept nowhere.
#[derive(Clone)]
pub struct TokenSecret([u8; 32]);

impl TokenSecret {
    const WHAT: &'static str = "token";

    /// A new secret.
    pub fn generate(env: &Env) -> Self {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&env.entropy.bytes());
        bytes[16..].copy_from_slice(&env.entropy.bytes());
        Self(bytes)
    }

    /// Reads the text form. No error repeats the text.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fail = |rule: &str| Err(NameError::new(Self::WHAT, "…", rule));
        let Some(digits) = text.strip_prefix(START) else {
            return fail("a token begins with `cas_`");
        };
        let Some((secret, check)) = digits.split_at_checked(64) else {
            return fail("a token has 72 hex digits after `cas_`; this one is cut");
        };
        let Ok(hash) = Hash::parse(Self::WHAT, secret) else {
            return fail("a token has only the digits 0-9 and a-f after `cas_`");
        };
        let secret = Self(*hash.as_bytes());
        if secret.check() != check {
            return fail("it is mistyped or cut: its last digits do not fit the others");
        }
        Ok(secret)
    }

    /// The text form, to be shown once.
    pub fn reveal(&self) -> String {
        format!("{START}{}{}", Hash::from_bytes(self.0), self.check())
    }

    /// The id by which the store knows it.
    pub fn id(&self) -> TokenId {
        TokenId(Hash::from_bytes(blake3::derive_key(ID_CONTEXT, &self.0)))
    }

    fn check(&self) -> String {
        let check = Hash::from_bytes(blake3::derive_key(CHECK_CONTEXT, &self.0));
        check.to_hex()[..CHECK_DIGITS].to_owned()
    }
}

/// Never the secret.
impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenSecret({START}…)")
    }
}

/// Names a token: a keyed hash of its secret, from which the secret cannot be found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(Hash);

impl TokenId {
    /// The id with this hash.
    pub const fn from_hash(hash: Hash) -> Self {
        Self(hash)
    }

    /// The hash.
    pub const fn hash(&self) -> &Hash {
        &self.0
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> String {
        self.0.to_hex()[..12].to_owned()
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token:{:?}", self.0)
    }
}

impl FromStr for TokenId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Hash::parse("token id", text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> TokenSecret {
        TokenSecret(std::array::from_fn(|n| u8::try_from(n).unwrap()))
    }

    #[test]
    fn reads_back_what_it_reveals_and_stands_for_one_id() {
        let text = secret().reveal();
        assert!(text.starts_with("cas_000102030405"), "{text}");
        assert_eq!(text.len(), 76);
        assert_eq!(TokenSecret::parse(&text).unwrap().id(), secret().id());
        let made = [(); 2].map(|()| TokenSecret::generate(&Env::system()).id());
        assert_ne!(made[0], made[1]);
    }

    #[test]
    fn a_secret_with_any_digit_changed_or_cut_is_refused() {
        let text = secret().reveal();
        for at in 0..text.len() {
            let mut other = text.clone();
            let digit = if &text[at..=at] == "0" { "1" } else { "0" };
            other.replace_range(at..=at, digit);
            assert!(TokenSecret::parse(&other).is_err(), "{other}");
            assert!(TokenSecret::parse(&text[..at]).is_err(), "{at} bytes");
        }
        for bad in [format!("{text}0"), text.to_uppercase(), format!(" {text}"), "é".repeat(60)] {
            assert!(TokenSecret::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_but_reveal_shows_the_secret() {
        let shown = format!("{:?} {:?} {}", secret(), secret().id(), secret().id());
        assert!(!shown.contains("000102030405"), "{shown}");
        let mistyped = secret().reveal().replace("cas_0001", "cas_1001");
        let said = TokenSecret::parse(&mistyped).unwrap_err().to_string();
        assert!(!said.contains("02030405"), "{said}");
    }
}
