//! A server of this process, on a port of its own.

use std::net::TcpListener;
use std::thread::JoinHandle;

use cas_core::env::Env;
use cas_core::store::Store;
use cas_server::{App, Settings, serve};
use tokio::sync::oneshot;

use crate::web::Client;

/// How many threads a server answers on.
const THREADS: usize = 4;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct TestServer {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    /// Serves `store` with the settings that nobody changed.
    pub fn start(store: &Store, env: &Env) -> Self {
        Self::start_with(store, env, Settings::default())
    }

    /// Serves `store`, on a thread and a runtime of its own, so that it can be started anywhere.
    ///
    /// # Panics
    ///
    /// If the machine has no port or thread left.
    pub fn start_with(store: &Store, env: &Env, settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        listener.set_nonblocking(true).expect("a socket can be made so");
        let address = listener.local_addr().expect("a bound socket has an address");
        let app = App::new(store.clone(), env.clone(), settings);
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(THREADS)
                .enable_all()
                .build()
                .expect("a runtime starts");
            runtime.block_on(async move {
                let listener =
                    tokio::net::TcpListener::from_std(listener).expect("the runtime takes it");
                let stop = async {
                    // Also when whoever would say so is gone.
                    let _ = stopped.await;
                };
                serve(listener, app, stop).await.expect("the server runs to its end");
            });
        });
        Self { url: format!("http://{address}"), stop: Some(stop), thread: Some(thread) }
    }

    /// Where it is: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client of it.
    pub fn client(&self) -> Client {
        Client::new(&self.url)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // A client may keep connections open; only being told to stop is waited for elsewhere.
        drop(self.stop.take());
        drop(self.thread.take());
    }
}
