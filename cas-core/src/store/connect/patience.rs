//! Telling a server that is down for a moment from one that is not there.
//!
//! A request that cannot connect is worth trying again for minutes when the server answered
//! before, and not when nothing ever did: then the address is wrong, and the user waits for
//! nothing.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};

use super::lists;

/// How many connections may fail before the first answer.
const FAILURES: u32 = 3;

/// Makes clients that share their connections and what is known of the server.
#[derive(Debug, Default)]
pub(super) struct PatientConnector {
    known: Arc<Known>,
    made: OnceLock<HttpClient>,
}

#[derive(Debug, Default)]
struct Known {
    /// Whether anything ever answered.
    reached: AtomicBool,
    /// How many connections failed before.
    failures: AtomicU32,
}

impl HttpConnector for PatientConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        if let Some(made) = self.made.get() {
            return Ok(made.clone());
        }
        let inner = ReqwestConnector::default().connect(options)?;
        let client = HttpClient::new(Patient { inner, known: self.known.clone() });
        Ok(self.made.get_or_init(|| client).clone())
    }
}

#[derive(Debug)]
struct Patient {
    inner: HttpClient,
    known: Arc<Known>,
}

#[async_trait]
impl HttpService for Patient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let is_list = lists::is_list(&request);
        match self.inner.execute(request).await {
            Ok(response) => {
                self.known.reached.store(true, Ordering::Relaxed);
                if is_list { lists::checked(response).await } else { Ok(response) }
            }
            Err(error)
                if error.kind() == HttpErrorKind::Connect
                    && !self.known.reached.load(Ordering::Relaxed)
                    && self.known.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES =>
            {
                // Of this kind no request is tried again.
                Err(HttpError::new(HttpErrorKind::Unknown, error))
            }
            Err(error) => Err(error),
        }
    }
}
