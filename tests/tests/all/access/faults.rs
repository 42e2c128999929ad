//! Making and revoking tokens while the bucket fails in every way at every call.

use std::sync::Arc;

use cas_core::access::{Found, NewToken, Tokens};
use cas_core::name::{Actor, HashPrefix};
use cas_core::store::Bucket;
use cas_tests::env::test_env;
use cas_tests::faulty::{Fault, FaultyStore};
use object_store::memory::InMemory;

fn new() -> NewToken {
    NewToken {
        actor: Actor::parse("ada").unwrap(),
        scopes: vec!["read".parse().unwrap()],
        expires_at: None,
        note: String::new(),
    }
}

/// Whatever a bucket does to one call, what is said to be done is done: a secret that is handed out
/// works, and a token that is said to be revoked does not.
#[tokio::test(start_paused = true)]
async fn what_is_said_to_be_done_is_done() {
    for fault in Fault::ALL {
        let mut n = 0;
        loop {
            n += 1;
            let memory = Arc::new(InMemory::new());
            let faulty = FaultyStore::new(memory.clone()).with_fault(n, fault);
            let tokens = Tokens::new(Bucket::new(Arc::new(faulty.clone())), test_env(1));
            let sound = Tokens::new(Bucket::new(memory), test_env(2));
            let eve = Actor::parse("eve").unwrap();
            if let Ok((token, secret)) = tokens.create(new()).await {
                let found = sound.find(&secret).await.unwrap();
                assert_eq!(found, Found::Valid(token.clone()), "{fault:?} at call {n}");
                let prefix = HashPrefix::parse(&token.id.to_string()).unwrap();
                let revoked = tokens.revoke(&prefix, &eve).await;
                if let Ok((id, _)) = revoked {
                    assert_eq!(id, token.id);
                    let found = sound.find(&secret).await.unwrap();
                    assert_eq!(found, Found::Revoked, "{fault:?} at call {n}");
                }
                // Whatever went wrong, trying again helps.
                sound.revoke(&prefix, &eve).await.unwrap();
                assert_eq!(sound.find(&secret).await.unwrap(), Found::Revoked);
            }
            assert_eq!(sound.list().await.unwrap().faults.len(), 0, "{fault:?} at call {n}");
            if faulty.calls() < n {
                break;
            }
        }
        assert!(n > 3, "{fault:?} met only {n} calls");
    }
}
