//! From what a request shows to what it may do.
//!
//! A store without any token is open: everybody may do everything. From its first token on every
//! request needs one, also if all are revoked. What a token allows is looked up in the store and
//! remembered for [`Limits::token_ttl`](crate::Limits::token_ttl): that long a new token may not be
//! known yet, a revoked one still work, and a server stay open after the first token was made.
//! That a token's time is over is known at once.
//!
//! A secret that was not good the last time it was seen may cost the store a look, so each address
//! may try only so many: guessing does not work, and does not keep the store busy either.

mod limiter;

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cas_core::access::{AccessError, Found, Grant, TokenId, TokenSecret, Tokens};
use cas_core::env::{Env, Timestamp};
use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::limits::Limits;
use limiter::Limiter;

/// How many tokens are remembered.
const TOKENS: usize = 10_000;

/// How many secrets that are not known to be good one address may show a second, and at once.
const STRANGERS: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
const STRANGERS_AT_ONCE: NonZeroU32 = NonZeroU32::new(100).expect("not zero");

/// Who may do what in the store being served.
#[derive(Debug)]
pub(crate) struct Access {
    /// The tokens; without any the store is always open.
    tokens: Option<Tokens>,
    env: Env,
    ttl: Duration,
    /// Set for ever once a token was seen.
    guarded: AtomicBool,
    /// Until when it need not be asked whether there is a token.
    open_until: Mutex<Option<Instant>>,
    /// Held by whoever asks.
    asking: tokio::sync::Mutex<()>,
    known: Cache<TokenId, Arc<Known>>,
    strangers: Limiter<IpAddr>,
    rates: Option<Limiter<TokenId>>,
}

/// What is known about a token.
#[derive(Debug)]
struct Known {
    since: Instant,
    standing: Standing,
}

#[derive(Debug)]
enum Standing {
    Good { grant: Arc<Grant>, expires_at: Option<Timestamp> },
    Unknown,
    Revoked,
    Expired,
}

/// Why a secret is not let in.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It is good for nothing; what the client is told.
    Unauthenticated(&'static str),
    /// Too many requests: how long to wait.
    TooMany(Duration),
    /// It could not be looked up.
    Failed(AccessError),
}

impl Access {
    /// Looks tokens up in `tokens`.
    pub(crate) fn new(tokens: Option<Tokens>, env: Env, limits: &Limits) -> Self {
        let rates = limits.token_rate.map(|rate| Limiter::new(rate, rate.saturating_mul(FOUR)));
        Self {
            tokens,
            env,
            ttl: limits.token_ttl,
            guarded: AtomicBool::new(false),
            open_until: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            known: Cache::new(TOKENS),
            strangers: Limiter::new(STRANGERS, STRANGERS_AT_ONCE),
            rates,
        }
    }

    /// Whether everybody may do everything.
    pub(crate) async fn is_open(&self) -> Result<bool, AccessError> {
        let Some(tokens) = &self.tokens else { return Ok(true) };
        if self.guarded.load(Ordering::Relaxed) {
            return Ok(false);
        }
        if self.was_open_a_moment_ago() {
            return Ok(true);
        }
        let _one = self.asking.lock().await;
        if self.was_open_a_moment_ago() {
            return Ok(true);
        }
        let until = Instant::now() + self.ttl;
        if tokens.any().await? {
            self.guarded.store(true, Ordering::Relaxed);
            return Ok(false);
        }
        *self.open_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        Ok(true)
    }

    fn was_open_a_moment_ago(&self) -> bool {
        let until = *self.open_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// What `secret`, shown from `peer`, allows.
    pub(crate) async fn grant(
        &self,
        secret: &TokenSecret,
        peer: IpAddr,
    ) -> Result<Arc<Grant>, Refused> {
        let Some(tokens) = &self.tokens else { return Err(Standing::Unknown.refused()) };
        let id = secret.id();
        let known = self.known.get(&id);
        let fresh = known.clone().filter(|known| known.since.elapsed() < self.ttl);
        let known = match fresh {
            Some(known) => known,
            None => {
                let was_good = known.as_ref().is_some_and(|known| known.is_good());
                if !was_good {
                    self.strangers.check(&network(peer)).map_err(Refused::TooMany)?;
                }
                self.known.remove_if(&id, |known| known.since.elapsed() >= self.ttl);
                // Those who ask about the same token at once wait for one look at the store.
                let look = self.known.get_or_insert_async(&id, Known::look(tokens, secret));
                look.await.map_err(Refused::Failed)?
            }
        };
        match &known.standing {
            Standing::Good { expires_at: Some(at), .. } if *at <= self.env.clock.now() => {
                Err(Standing::Expired.refused())
            }
            Standing::Good { grant, .. } => {
                if let Some(rates) = &self.rates {
                    rates.check(&id).map_err(Refused::TooMany)?;
                }
                Ok(grant.clone())
            }
            standing => Err(standing.refused()),
        }
    }
}

/// How much more than in a second may come at once.
const FOUR: NonZeroU32 = NonZeroU32::new(4).expect("not zero");

impl Known {
    async fn look(tokens: &Tokens, secret: &TokenSecret) -> Result<Arc<Self>, AccessError> {
        // Before the look: what is read may be as old as this.
        let since = Instant::now();
        let standing = match tokens.find(secret).await? {
            Found::Valid(token) => {
                Standing::Good { grant: Arc::new(token.grant()), expires_at: token.expires_at }
            }
            Found::Unknown => Standing::Unknown,
            Found::Revoked => Standing::Revoked,
            Found::Expired => Standing::Expired,
        };
        Ok(Arc::new(Self { since, standing }))
    }

    const fn is_good(&self) -> bool {
        matches!(self.standing, Standing::Good { .. })
    }
}

impl Standing {
    /// Whoever holds a secret may know what became of it.
    const fn refused(&self) -> Refused {
        Refused::Unauthenticated(match self {
            Self::Good { .. } | Self::Unknown => "the token is not one of this store",
            Self::Revoked => "the token was revoked",
            Self::Expired => "the token's time is over",
        })
    }
}

/// The address, or the network in which one client may have any number of them.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_of_version_6_is_one_stranger() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
