//! Connections: taking them, and letting them end in order.

use std::future::Future;
use std::io;

use tokio::net::TcpListener;

use crate::api::router;
use crate::app::App;

/// Answers whoever connects to `listener`, until `stop` ends; then takes no more connections and
/// waits for the requests that are under way.
pub async fn serve(
    listener: TcpListener,
    app: App,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router(app)).with_graceful_shutdown(stop).await
}
