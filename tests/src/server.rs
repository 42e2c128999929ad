//! A server of this process, on a port of its own.

use std::net::TcpListener;
use std::thread::JoinHandle;

use cas_core::env::Env;
use cas_core::store::Store;
use cas_server::{App, Ended, Server, Settings, Tls};
use tokio::sync::oneshot;

use crate::web::Client;

/// How many threads a server answers on.
const THREADS: usize = 4;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct TestServer {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Ended>>,
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
        Self::start_app(App::new(store.clone(), env.clone(), settings))
    }

    /// Serves what a test put together.
    ///
    /// # Panics
    ///
    /// If the machine has no port or thread left.
    pub fn start_app(app: App) -> Self {
        Self::start_server(app, None)
    }

    /// The same, speaking TLS if there is a certificate.
    ///
    /// # Panics
    ///
    /// If the machine has no port or thread left.
    pub fn start_server(app: App, tls: Option<Tls>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        listener.set_nonblocking(true).expect("a socket can be made so");
        let address = listener.local_addr().expect("a bound socket has an address");
        let scheme = if tls.is_some() { "https" } else { "http" };
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
                let server = Server::new(listener, app);
                let server = match tls {
                    Some(tls) => server.with_tls(tls),
                    None => server,
                };
                server.run(stop).await
            })
        });
        Self { url: format!("{scheme}://{address}"), stop: Some(stop), thread: Some(thread) }
    }

    /// Where it is: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Tells it to stop, and waits until it has: how it ended.
    ///
    /// # Panics
    ///
    /// If it panicked.
    pub fn stop(mut self) -> Ended {
        drop(self.stop.take());
        self.thread.take().expect("it runs").join().expect("the server runs to its end")
    }

    /// Tells it to stop, and goes on.
    pub fn begin_to_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Where it is: `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        self.url.split_once("//").map_or("", |(_, address)| address)
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
