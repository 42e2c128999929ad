//! A server that is told to stop.

use std::time::Duration;

use cas_server::{Ended, Limits};
use cas_tests::raw::Raw;
use tokio::net::TcpStream;

use super::{put_large, served};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_under_way_are_answered_to_their_last_byte() {
    const BYTES: usize = 24 << 20;
    let mut server = served(Limits::default()).await;
    let path = put_large(&server, BYTES).await;
    let address = server.address().to_owned();
    let mut reader = Raw::connect(&address).await;
    reader.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
    assert!(reader.more().await, "the answer begins");
    let mut idle = Raw::connect(&address).await;
    idle.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(idle.answer().await.unwrap().status, 200);
    server.begin_to_stop();
    // Who asks for nothing is let go at once, and nobody new is taken.
    idle.hung_up().await;
    assert!(TcpStream::connect(&address).await.is_err());
    let answer = reader.answer().await.expect("the answer goes on to its end");
    assert_eq!(answer.body.len(), BYTES);
    let ended = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(ended, Ended::Drained);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_do_not_end_are_cut_off() {
    let limits = Limits { drain_timeout: Duration::from_millis(300), ..Limits::default() };
    let server = served(limits).await;
    let path = put_large(&server, 24 << 20).await;
    let mut reader = Raw::connect(server.address()).await;
    reader.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
    assert!(reader.more().await, "the answer begins");
    let ended = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(ended, Ended::CutOff { connections: 1 });
    assert_eq!(reader.answer().await, None, "it is cut off, and looks so");
}
