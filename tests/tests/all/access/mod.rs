//! Who may do what, at a real server.

mod faults;
mod personal;
mod table;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use cas_core::access::{NewToken, Scope, TokenSecret, Tokens};
use cas_core::env::{Env, Timestamp};
use cas_core::name::{Actor, HashPrefix};
use cas_core::store::{Bucket, Store, Writers, create};
use cas_server::{App, Caches, Limits, Settings};
use cas_tests::server::TestServer;
use cas_tests::web::Client;
use object_store::memory::InMemory;

/// A server whose store may have tokens.
pub(crate) struct Guarded {
    bucket: Bucket,
    server: TestServer,
}

impl Guarded {
    /// A server that looks at the store for each request.
    pub(crate) async fn start() -> Self {
        Self::start_with(Limits { token_ttl: Duration::ZERO, ..Limits::default() }).await
    }

    pub(crate) async fn start_with(limits: Limits) -> Self {
        let bucket = Bucket::new(Arc::new(InMemory::new()));
        create(&bucket, "a test's store", Writers::Any, &Env::system()).await.unwrap();
        let server = TestServer::start_app(app(&bucket, limits));
        Self { bucket, server }
    }

    /// Another server over the same store.
    pub(crate) fn restarted(self, limits: Limits) -> Self {
        let server = TestServer::start_app(app(&self.bucket, limits));
        Self { server, ..self }
    }

    pub(crate) fn tokens(&self) -> Tokens {
        Tokens::new(self.bucket.clone(), Env::system())
    }

    /// A token with these scopes, for `actor`.
    pub(crate) async fn token(&self, actor: &str, scopes: &[&str]) -> TokenSecret {
        self.token_until(actor, scopes, None).await
    }

    pub(crate) async fn token_until(
        &self,
        actor: &str,
        scopes: &[&str],
        expires_at: Option<Timestamp>,
    ) -> TokenSecret {
        let new = NewToken {
            actor: Actor::parse(actor).unwrap(),
            scopes: scopes.iter().map(|scope| Scope::parse(scope).unwrap()).collect(),
            expires_at,
            note: String::new(),
        };
        self.tokens().create(new).await.unwrap().1
    }

    pub(crate) async fn revoke(&self, secret: &TokenSecret) {
        let prefix = HashPrefix::parse(&secret.id().to_string()).unwrap();
        self.tokens().revoke(&prefix, &Actor::parse("eve").unwrap()).await.unwrap();
    }

    /// A client that shows nothing.
    pub(crate) fn stranger(&self) -> Client {
        self.server.client()
    }

    /// A client that shows this token.
    pub(crate) fn client(&self, secret: &TokenSecret) -> Client {
        self.stranger().with("authorization", &format!("Bearer {}", secret.reveal()))
    }
}

/// The store in `bucket`, to be served.
fn app(bucket: &Bucket, limits: Limits) -> App {
    let store = Store::in_bucket(bucket, &Env::system());
    let settings = Settings { limits, ..Settings::default() };
    App::in_bucket(bucket, store, Env::system(), settings, Caches::default())
}
