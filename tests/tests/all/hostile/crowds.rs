//! Ten thousand connections that say nothing.

use std::process::Stdio;
use std::time::Duration;

use cas_tests::cli::User;
use cas_tests::skip_loudly;
use cas_tests::tell;
use cas_tests::web::Client;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpStream;

use crate::cli_serve::Running;

/// How many connections are meant.
const WANTED: usize = 10_000;

/// The most that one connection may cost the server, in bytes.
const EACH_BYTES: u64 = 40 * 1024;

/// How many connections this machine allows a test to have.
fn allowed() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    // Other tests of this process have files open as well.
    let room = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(4096);
    let wanted = WANTED.min(room);
    if wanted < WANTED {
        skip_loudly(&format!("only {wanted} of {WANTED} idle connections: open files are limited"));
    }
    wanted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_cost_little_and_disturb_nobody() {
    let user = User::with_folder();
    let mut command = user.command(["serve", "--listen", "127.0.0.1:0", "--header-timeout", "10m"]);
    command.args(["--log-level", "warn"]).stderr(Stdio::null());
    let running = Running::start(command);
    let client = Client::new(running.url());
    let crowd = allowed();
    let before = running.memory_bytes();
    let mut last = 0;
    for round in 0..3 {
        let mut idle = Vec::with_capacity(crowd);
        for _ in 0..crowd {
            idle.push(TcpStream::connect(running.address()).await.unwrap());
        }
        // All of them are taken, and others are answered among them.
        let open = tokio::time::timeout(Duration::from_mins(1), async {
            while running.connections(&client).await < f64::from(u32::try_from(crowd).unwrap()) {
                tokio::task::yield_now().await;
            }
        });
        open.await.expect("all connections are taken");
        client.get("/v1/books").await.expect(200);
        last = running.memory_bytes();
        let each = (last - before) / crowd as u64;
        tell(&format!("round {round}: {crowd} idle connections, {each} bytes each"));
        assert!(each < EACH_BYTES, "{each} bytes for each of {crowd} connections");
        drop(idle);
        let closed = tokio::time::timeout(Duration::from_mins(1), async {
            while running.connections(&client).await > 10.0 {
                tokio::task::yield_now().await;
            }
        });
        closed.await.expect("all connections are let go");
    }
    // Nothing is left of a crowd that went: the third takes no more than the first.
    let after = running.memory_bytes();
    assert!(after <= last + (16 << 20), "{before} before, {last} with the crowd, {after} after");
    client.get("/v1/books").await.expect(200);
}
