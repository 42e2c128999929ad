//! What archives of a book of 500 files and 200 MB cost a server: memory, time, first bytes.
//!
//! ```text
//! cargo run --release -p cas-tests --example archive_load [FILES] [MEGABYTES]
//! ```
//!
//! The server is a process of its own, over a folder store, so that its memory can be told apart
//! from what its clients take.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cas_core::env::Env;
use cas_core::store::{Bucket, LocalStore, Store};
use cas_server::{App, Settings, serve};
use cas_tests::planted::{Planted, plant};

/// How many archives are asked for at once, after one alone.
const AT_ONCE: usize = 8;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    if let [mode, folder] = args.as_slice()
        && mode == "serve"
    {
        return run_server(Path::new(folder)).await;
    }
    let number = |nth: usize, default: usize| args.get(nth).map_or(Ok(default), |arg| arg.parse());
    let (files, megabytes) = (number(0, 500)?, number(1, 200)?);
    let home = tempfile::tempdir()?;
    let tree = plant(&store(home.path())?, &book(files, megabytes * 1_000_000)).await;
    for format in ["tar", "tar.zst", "zip"] {
        for count in [1, AT_ONCE] {
            let server = Server::start(home.path())?;
            read(format!("{}/v1/trees/{tree}", server.url)).await?;
            let before = server.kibibytes("VmRSS")?;
            let start = Instant::now();
            let url = format!("{}/v1/trees/{tree}/archive.{format}", server.url);
            let readers: Vec<_> = (0..count).map(|_| tokio::spawn(read(url.clone()))).collect();
            let (mut first, mut bytes) = (Duration::ZERO, 0);
            for reader in readers {
                let archive = reader.await??;
                (first, bytes) = (first.max(archive.first), archive.bytes);
            }
            let seconds = start.elapsed().as_secs_f64();
            let peak = server.kibibytes("VmHWM")?;
            println!(
                "{format:>7} x {count}: {:.1} MB each, first byte within {} ms, {seconds:.2} s, \
                 {:.0} MB of files a second, {:.1} MiB of memory grown by {:.1}",
                bytes as f64 / 1e6,
                first.as_millis(),
                (count * megabytes) as f64 / seconds,
                before as f64 / 1024.0,
                (peak - before) as f64 / 1024.0,
            );
        }
    }
    Ok(())
}

fn store(folder: &Path) -> Result<Store> {
    let local = LocalStore::create(folder)?;
    Ok(Store::in_bucket(&Bucket::local(local), &Env::system()))
}

async fn run_server(folder: &Path) -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let app = App::new(store(folder)?, Env::system(), Settings::default());
    serve(listener, app, std::future::pending()).await?;
    Ok(())
}

/// Half pages of text, half pictures: files of sizes from a tenth of the mean to twice as much.
fn book(files: usize, bytes: usize) -> Vec<Planted> {
    let mean = bytes / files;
    let file = |nth: usize| {
        let size = mean / 10 + (mean * 18 / 10) * (nth * 7919 % files) / files;
        let folder = nth % 40;
        match nth % 2 {
            0 => Planted::file(format!("part-{folder:02}/page-{nth:04}.md"), text(size, nth)),
            _ => Planted::file(format!("part-{folder:02}/img/{nth:04}.png"), noise(size, nth)),
        }
    };
    (0..files).map(file).collect()
}

fn noise(size: usize, seed: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Words in an order of their own for each seed, which compress about as prose does.
fn text(size: usize, seed: usize) -> Vec<u8> {
    let words = include_str!("../../docs/format.md").split_whitespace().collect::<Vec<_>>();
    let mut text = Vec::with_capacity(size + 100);
    for pair in noise(size, seed).chunks_exact(2) {
        let word = words[usize::from(u16::from_le_bytes([pair[0], pair[1]])) % words.len()];
        text.extend_from_slice(word.as_bytes());
        text.push(if text.len() % 80 < 8 { b'\n' } else { b' ' });
        if text.len() >= size {
            break;
        }
    }
    text.truncate(size);
    text
}

/// An archive that was read and thrown away.
struct Read {
    first: Duration,
    bytes: u64,
}

async fn read(url: String) -> Result<Read> {
    let start = Instant::now();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut response = client.get(url).send().await?.error_for_status()?;
    let mut found = Read { first: Duration::ZERO, bytes: 0 };
    while let Some(piece) = response.chunk().await? {
        if found.bytes == 0 {
            found.first = start.elapsed();
        }
        found.bytes += piece.len() as u64;
    }
    Ok(found)
}

/// A server in a process of its own, which ends with this value.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(folder: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg("serve").arg(folder).stdout(Stdio::piped()).spawn()?;
        let said = child.stdout.take().ok_or("a server has an output")?;
        let mut address = String::new();
        BufReader::new(said).read_line(&mut address)?;
        Ok(Self { child, url: format!("http://{}", address.trim()) })
    }

    /// A figure of the kernel about its memory.
    fn kibibytes(&self, name: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with(name)).ok_or("Linux says it")?;
        Ok(line.split_whitespace().nth(1).ok_or("Linux says it")?.parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
