//! Who may do what: tokens, and the scopes that they hold.
//!
//! [`Grant`] answers every question about what is allowed, and does no I/O. [`Tokens`] keeps in the
//! store which [`TokenSecret`] gives which grant: only ever the hash of a secret, so that whoever
//! reads the whole store can use none of them.

mod grant;
mod pattern;
mod scope;
mod secret;
mod token;
mod tokens;
mod verb;

pub use grant::Grant;
pub use pattern::Pattern;
pub use scope::Scope;
pub use secret::{TokenId, TokenSecret};
pub use token::{Revocation, Token};
pub use tokens::{Found, Listed, NewToken, TokenList, Tokens};
pub use verb::Verb;

use crate::error::ErrorKind;
use crate::name::HashPrefix;
use crate::object::DecodeError;
use crate::store::StoreError;

/// Why tokens could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A token to be made breaks a rule.
    #[error("cannot make this token")]
    Invalid {
        /// The rule.
        source: DecodeError,
    },
    /// The stored record of a token is not what it should be.
    #[error("the record of token {id} is damaged")]
    DamagedToken {
        /// The token.
        id: TokenId,
        /// What is wrong.
        source: DecodeError,
    },
    /// The stored record of a revocation is not what it should be. The token is revoked.
    #[error("the revocation of token {id} is damaged; the token stays revoked")]
    DamagedRevocation {
        /// The token.
        id: TokenId,
        /// What is wrong.
        source: DecodeError,
    },
    /// A token was revoked, and its own record is not there.
    #[error("token {id} was revoked, and its record is missing")]
    MissingToken {
        /// The token.
        id: TokenId,
    },
    /// A key among the tokens that is none of theirs.
    #[error("unknown key {key} among the tokens")]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// No token has such an id.
    #[error("no token's id begins with {prefix}")]
    NoToken {
        /// The digits.
        prefix: HashPrefix,
    },
    /// Several tokens have such an id.
    #[error("the ids of several tokens begin with {prefix}")]
    Ambiguous {
        /// The digits.
        prefix: HashPrefix,
    },
    /// The bucket refused a put again and again, and nothing is there.
    #[error("cannot write {key}: the bucket refuses it although nothing is there")]
    NotWritten {
        /// The key.
        key: String,
    },
}

impl AccessError {
    /// Whether it is about one record, so that others can be looked at all the same.
    pub(crate) const fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::DamagedToken { .. }
                | Self::DamagedRevocation { .. }
                | Self::MissingToken { .. }
                | Self::UnknownKey { .. }
        )
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(source) => source.kind(),
            Self::Invalid { .. } | Self::Ambiguous { .. } => ErrorKind::Invalid,
            // A version that is not known here is no damage.
            Self::DamagedToken { source: DecodeError::UnknownVersion { .. }, .. }
            | Self::DamagedRevocation { source: DecodeError::UnknownVersion { .. }, .. } => {
                ErrorKind::Invalid
            }
            Self::DamagedToken { .. }
            | Self::DamagedRevocation { .. }
            | Self::MissingToken { .. }
            | Self::UnknownKey { .. } => ErrorKind::Corrupt,
            Self::NoToken { .. } => ErrorKind::NotFound,
            Self::NotWritten { .. } => ErrorKind::Unavailable,
        }
    }
}
