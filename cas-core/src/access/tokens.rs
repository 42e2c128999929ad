//! The tokens of a store: one immutable record each, and another where one is revoked.
//!
//! Nothing here is ever changed or removed, so there is no state in which a token that was revoked
//! works again, and nothing that two who revoke at once could disagree about.

use std::collections::BTreeMap;

use bytes::Bytes;
use object_store::path::Path as Key;

use super::{AccessError, Revocation, Scope, Token, TokenId, TokenSecret};
use crate::env::{Env, Timestamp};
use crate::limits;
use crate::name::{Actor, HashPrefix};
use crate::object::DecodeError;
use crate::repo::for_each;
use crate::store::layout::TokenKey;
use crate::store::{Bucket, Put, StoreError, layout};

/// How often a put that was refused with nothing there, or failed on its way, is tried.
const PUT_ATTEMPTS: u32 = 8;

/// How many records are read at once.
const READS: usize = 16;

/// The tokens of the store in a bucket.
#[derive(Debug, Clone)]
pub struct Tokens {
    bucket: Bucket,
    env: Env,
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// In whose name changes are made.
    pub actor: Actor,
    /// What may be done: 1 to 32 scopes.
    pub scopes: Vec<Scope>,
    /// From when on it is refused; never, if none.
    pub expires_at: Option<Timestamp>,
    /// What it is for: at most 1,024 bytes, without NUL.
    pub note: String,
}

/// What a secret stands for at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A token that is good.
    Valid(Token),
    /// No token of this store.
    Unknown,
    /// A token that was revoked.
    Revoked,
    /// A token whose time is over.
    Expired,
}

/// A token in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: TokenId,
    /// What is known of it; `None` if its record is damaged or missing.
    pub token: Option<Token>,
    /// Whether it was revoked, and by whom unless that record is damaged.
    pub revoked: Option<Option<Revocation>>,
}

/// All tokens, and what is wrong with their records.
#[derive(Debug, Default)]
pub struct TokenList {
    /// The tokens in the order of their ids.
    pub tokens: Vec<Listed>,
    /// Each damaged record.
    pub faults: Vec<AccessError>,
}

impl Tokens {
    /// The tokens of the store in `bucket`.
    pub const fn new(bucket: Bucket, env: Env) -> Self {
        Self { bucket, env }
    }

    /// Whether there is any token, also one that was revoked or is over: a store that ever had one
    /// is never again open to everybody. One request.
    pub async fn any(&self) -> Result<bool, AccessError> {
        Ok(self.bucket.first_below(&layout::TOKENS.into()).await?.is_some())
    }

    /// Makes a token. Its secret is kept nowhere: whoever asked must keep it.
    pub async fn create(&self, new: NewToken) -> Result<(Token, TokenSecret), AccessError> {
        let NewToken { actor, scopes, expires_at, note } = new;
        let secret = TokenSecret::generate(&self.env);
        let created_at = self.env.clock.now();
        let id = secret.id();
        let token = Token { id, actor, scopes, created_at, expires_at, note };
        token.check().map_err(|source| AccessError::Invalid { source })?;
        let put = self.put_new(&layout::token(&id), token.to_stored().into()).await?;
        // Refused: the answer to our own put was lost, since nobody else can have this secret.
        if !put && self.token(&id).await? != Some(token.clone()) {
            let source = DecodeError::Rule("another record is in its place".to_owned());
            return Err(AccessError::DamagedToken { id, source });
        }
        Ok((token, secret))
    }

    /// What `secret` stands for now. Two reads, at once.
    ///
    /// Any revocation counts, also one that cannot be read: it was put there to refuse the token.
    pub async fn find(&self, secret: &TokenSecret) -> Result<Found, AccessError> {
        let id = secret.id();
        let (token, revoked) = futures::future::join(self.token(&id), self.is_revoked(&id)).await;
        if revoked? {
            return Ok(Found::Revoked);
        }
        let now = self.env.clock.now();
        Ok(match token? {
            None => Found::Unknown,
            Some(token) if token.is_expired(now) => Found::Expired,
            Some(token) => Found::Valid(token),
        })
    }

    /// All tokens. Damaged records do not hide the others.
    pub async fn list(&self) -> Result<TokenList, AccessError> {
        let mut list = TokenList::default();
        let ids = self.ids(&mut list.faults).await?.into_iter().collect();
        let tokens = self.clone();
        let read = for_each(ids, READS, move |(id, revoked)| {
            let tokens = tokens.clone();
            async move {
                let token = tokens.token(&id).await;
                let revocation = if revoked { tokens.revocation(&id).await } else { Ok(None) };
                Ok::<_, AccessError>((id, token, revoked, revocation))
            }
        });
        for (id, token, revoked, revocation) in read.await? {
            let token = token.and_then(|found| found.ok_or(AccessError::MissingToken { id }));
            let token = intact(token, &mut list.faults)?;
            let revocation = intact(revocation, &mut list.faults)?.flatten();
            list.tokens.push(Listed { id, token, revoked: revoked.then_some(revocation) });
        }
        Ok(list)
    }

    /// Revokes the one token whose id begins with `prefix`, in `actor`'s name. Returns its id and
    /// whether it was good until now: to revoke again is no error. The token's record need not be
    /// readable.
    pub async fn revoke(
        &self,
        prefix: &HashPrefix,
        actor: &Actor,
    ) -> Result<(TokenId, bool), AccessError> {
        let mut ids = self.ids(&mut Vec::new()).await?;
        ids.retain(|id, _| prefix.matches(id.hash()));
        let mut found = ids.into_keys();
        let id = match (found.next(), found.next()) {
            (Some(id), None) => id,
            (None, _) => return Err(AccessError::NoToken { prefix: prefix.clone() }),
            (Some(_), Some(_)) => return Err(AccessError::Ambiguous { prefix: prefix.clone() }),
        };
        let revoked_at = self.env.clock.now();
        let revocation = Revocation { id, actor: actor.clone(), revoked_at };
        let key = layout::revocation(&id);
        let new = self.put_new(&key, revocation.to_stored().into()).await?;
        Ok((id, new))
    }

    /// The ids of all tokens, and whether each was revoked. Unknown keys are faults.
    async fn ids(
        &self,
        faults: &mut Vec<AccessError>,
    ) -> Result<BTreeMap<TokenId, bool>, AccessError> {
        let mut ids = BTreeMap::new();
        for key in self.bucket.keys(&layout::TOKENS.into()).await? {
            match layout::token_key(&key) {
                Some(TokenKey::Token(id)) => {
                    ids.entry(id).or_default();
                }
                Some(TokenKey::Revocation(id)) => {
                    ids.insert(id, true);
                }
                None => faults.push(AccessError::UnknownKey { key: key.to_string() }),
            }
        }
        Ok(ids)
    }

    async fn token(&self, id: &TokenId) -> Result<Option<Token>, AccessError> {
        let damaged = |source| AccessError::DamagedToken { id: *id, source };
        let bytes = self.read(&layout::token(id), limits::TOKEN_BYTES).await?;
        let Some(bytes) = bytes else { return Ok(None) };
        let token = bytes.and_then(|bytes| Token::from_stored(&bytes)).map_err(damaged)?;
        if token.id != *id {
            return Err(damaged(DecodeError::Rule(format!("it belongs to {}", token.id))));
        }
        Ok(Some(token))
    }

    async fn revocation(&self, id: &TokenId) -> Result<Option<Revocation>, AccessError> {
        let damaged = |source| AccessError::DamagedRevocation { id: *id, source };
        let bytes = self.read(&layout::revocation(id), limits::REVOCATION_BYTES).await?;
        let Some(bytes) = bytes else { return Ok(None) };
        let revoked = bytes.and_then(|bytes| Revocation::from_stored(&bytes)).map_err(damaged)?;
        if revoked.id != *id {
            return Err(damaged(DecodeError::Rule(format!("it belongs to {}", revoked.id))));
        }
        Ok(Some(revoked))
    }

    async fn is_revoked(&self, id: &TokenId) -> Result<bool, AccessError> {
        Ok(self.bucket.read(&layout::revocation(id), 0).await?.is_some())
    }

    /// The bytes at `key` of at most `limit`, or that there are more.
    async fn read(
        &self,
        key: &Key,
        limit: usize,
    ) -> Result<Option<Result<Bytes, DecodeError>>, AccessError> {
        let read = self.bucket.read(key, limit as u64).await?;
        Ok(read.map(|read| {
            read.map_err(|size| {
                let len = usize::try_from(size).unwrap_or(usize::MAX);
                DecodeError::TooLong { len, limit }
            })
        }))
    }

    /// Writes what nobody else writes, or what is as good by whomever it is written. Returns
    /// whether it was new as far as is known.
    async fn put_new(&self, key: &Key, bytes: Bytes) -> Result<bool, AccessError> {
        let mut last: Option<StoreError> = None;
        for attempt in 0..PUT_ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(self.env.backoff(attempt + 3)).await;
            }
            match self.bucket.put_if_absent(key, bytes.clone()).await {
                Ok(Put::Created) => return Ok(true),
                Ok(Put::Refused) if self.bucket.size(key).await?.is_some() => return Ok(false),
                // Refused, and yet nothing there: racing puts were told to try again.
                Ok(Put::Refused) => {}
                // The answer was lost: it may have landed or not, and putting it again is right.
                Err(error) if self.bucket.is_worth_repeating(&error) => last = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.map_or_else(|| AccessError::NotWritten { key: key.to_string() }, Into::into))
    }
}

/// What was read, unless it is damaged: that is noted, and hides nothing else.
fn intact<T>(
    read: Result<T, AccessError>,
    faults: &mut Vec<AccessError>,
) -> Result<Option<T>, AccessError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_fault() => {
            faults.push(error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use object_store::memory::InMemory;

    use super::*;
    use crate::env::Clock;
    use crate::error::ErrorKind;

    /// A clock that stands still until it is set.
    #[derive(Debug, Default)]
    struct SetClock(AtomicU64);

    impl Clock for SetClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.0.load(Ordering::Relaxed))
        }
    }

    fn tokens() -> (Tokens, Arc<SetClock>) {
        let clock = Arc::new(SetClock::default());
        let env = Env { clock: clock.clone(), ..Env::system() };
        (Tokens::new(Bucket::new(Arc::new(InMemory::new())), env), clock)
    }

    fn new(expires_at: Option<u64>) -> NewToken {
        NewToken {
            actor: actor("ada"),
            scopes: vec![Scope::parse("read:guide").unwrap()],
            expires_at: expires_at.map(Timestamp::from_micros),
            note: "for tests".to_owned(),
        }
    }

    fn actor(text: &str) -> Actor {
        Actor::parse(text).unwrap()
    }

    fn prefix(id: &TokenId) -> HashPrefix {
        HashPrefix::parse(&id.to_string()[..8]).unwrap()
    }

    #[tokio::test]
    async fn finds_a_token_by_its_secret_until_it_is_revoked() {
        let (tokens, _) = tokens();
        assert!(!tokens.any().await.unwrap());
        let (token, secret) = tokens.create(new(None)).await.unwrap();
        assert!(tokens.any().await.unwrap());
        assert_eq!(tokens.find(&secret).await.unwrap(), Found::Valid(token.clone()));
        let other = TokenSecret::generate(&Env::system());
        assert_eq!(tokens.find(&other).await.unwrap(), Found::Unknown);
        assert_eq!(
            tokens.revoke(&prefix(&token.id), &actor("eve")).await.unwrap(),
            (token.id, true)
        );
        assert_eq!(tokens.find(&secret).await.unwrap(), Found::Revoked);
        // Again, by another: the first one stays on record.
        let again = tokens.revoke(&prefix(&token.id), &actor("bob")).await.unwrap();
        assert_eq!(again, (token.id, false));
        let list = tokens.list().await.unwrap();
        assert!(list.faults.is_empty());
        let revoked = list.tokens[0].revoked.clone().unwrap().unwrap();
        assert_eq!((list.tokens.len(), revoked.actor.as_str()), (1, "eve"));
        // A store that had a token is never open again.
        assert!(tokens.any().await.unwrap());
    }

    #[tokio::test]
    async fn a_token_is_over_when_its_time_is() {
        let (tokens, clock) = tokens();
        let (_, secret) = tokens.create(new(Some(10))).await.unwrap();
        assert!(matches!(tokens.find(&secret).await.unwrap(), Found::Valid(_)));
        clock.0.store(10, Ordering::Relaxed);
        assert_eq!(tokens.find(&secret).await.unwrap(), Found::Expired);
    }

    #[tokio::test]
    async fn what_breaks_a_rule_is_not_written() {
        let (tokens, _) = tokens();
        let refused = tokens.create(NewToken { scopes: Vec::new(), ..new(None) }).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
        assert!(!tokens.any().await.unwrap());
    }

    #[tokio::test]
    async fn only_an_id_of_one_token_is_revoked() {
        let (tokens, _) = tokens();
        let (token, secret) = tokens.create(new(None)).await.unwrap();
        let twin = TokenId::from_hash({
            let mut bytes = *token.id.hash().as_bytes();
            bytes[31] ^= 1;
            crate::name::Hash::from_bytes(bytes)
        });
        tokens.bucket.put(&layout::token(&twin), Bytes::from_static(b"?")).await.unwrap();
        let both = tokens.revoke(&prefix(&token.id), &actor("eve")).await.unwrap_err();
        assert!(matches!(both, AccessError::Ambiguous { .. }), "{both}");
        let none = HashPrefix::parse("00000000000000000000000000000000").unwrap();
        let none = tokens.revoke(&none, &actor("eve")).await.unwrap_err();
        assert_eq!(none.kind(), ErrorKind::NotFound);
        assert!(matches!(tokens.find(&secret).await.unwrap(), Found::Valid(_)));
        // A token that nobody can read can be revoked all the same.
        let whole = HashPrefix::parse(&twin.to_string()).unwrap();
        assert_eq!(tokens.revoke(&whole, &actor("eve")).await.unwrap(), (twin, true));
    }

    #[tokio::test]
    async fn a_damaged_record_is_an_error_that_names_it_and_hides_no_other() {
        let (tokens, _) = tokens();
        let (good, _) = tokens.create(new(None)).await.unwrap();
        let (bad, secret) = tokens.create(new(None)).await.unwrap();
        // The record of another token, whole in itself.
        let moved = good.to_stored();
        for bytes in [Bytes::from_static(b""), Bytes::from(vec![0x87; 70_000]), moved.into()] {
            tokens.bucket.put(&layout::token(&bad.id), bytes).await.unwrap();
            let error = tokens.find(&secret).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().contains(&bad.id.to_string()), "{error}");
        }
        tokens.bucket.put(&Key::from("tokens/readme"), Bytes::new()).await.unwrap();
        let list = tokens.list().await.unwrap();
        assert_eq!((list.tokens.len(), list.faults.len()), (2, 2));
        let read: Vec<_> = list.tokens.iter().filter_map(|listed| listed.token.clone()).collect();
        assert_eq!(read, [good]);
    }

    #[tokio::test]
    async fn a_damaged_revocation_still_revokes() {
        let (tokens, _) = tokens();
        let (token, secret) = tokens.create(new(None)).await.unwrap();
        tokens.bucket.put(&layout::revocation(&token.id), Bytes::new()).await.unwrap();
        assert_eq!(tokens.find(&secret).await.unwrap(), Found::Revoked);
        let list = tokens.list().await.unwrap();
        assert_eq!(list.tokens[0].revoked, Some(None));
        assert_eq!(list.faults.len(), 1);
    }
}
