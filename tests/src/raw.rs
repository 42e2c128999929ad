//! A client that may break every rule: bytes out, bytes in.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection on which anything can be said.
#[derive(Debug)]
pub struct Raw<S = TcpStream> {
    stream: S,
    read: Vec<u8>,
}

/// The answer to something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawAnswer {
    /// The status.
    pub status: u16,
    /// The head.
    pub head: String,
    /// The body, as far as its length was said.
    pub body: Vec<u8>,
}

impl Raw {
    /// A connection to `address`.
    ///
    /// # Panics
    ///
    /// If there is none to be had.
    pub async fn connect(address: &str) -> Self {
        Self::over(TcpStream::connect(address).await.expect("the server takes connections"))
    }

    /// Says the bytes, on a connection of their own, and waits for an answer.
    pub async fn ask(address: &str, bytes: &[u8]) -> Option<RawAnswer> {
        let mut raw = Self::connect(address).await;
        raw.send(bytes).await;
        raw.answer().await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// Speaks over `stream`.
    pub const fn over(stream: S) -> Self {
        Self { stream, read: Vec::new() }
    }

    /// Says the bytes; whether the server still listened.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.is_ok_and(|sent| sent.is_ok())
    }

    /// Says that nothing more comes.
    pub async fn end(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Reads some more; whether there was more.
    ///
    /// # Panics
    ///
    /// If the server says nothing for long.
    pub async fn more(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
        read.expect("the server says something or hangs up").is_ok_and(|read| read > 0)
    }

    /// Waits for an answer; none if the server hangs up before its end.
    ///
    /// # Panics
    ///
    /// If the server says nothing for long.
    pub async fn answer(&mut self) -> Option<RawAnswer> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more().await {
                return None;
            }
        };
        let head: Vec<u8> = self.read.drain(..end).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        let length: usize = length.unwrap_or(0);
        while self.read.len() < length {
            if !self.more().await {
                return None;
            }
        }
        Some(RawAnswer { status, head, body: self.read.drain(..length).collect() })
    }

    /// Waits until the server hangs up.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn hung_up(&mut self) {
        while self.more().await {
            self.read.clear();
        }
    }
}
