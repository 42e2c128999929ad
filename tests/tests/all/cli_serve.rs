//! `cas serve`, the real binary.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cas_tests::cli::User;
use cas_tests::raw::Raw;
use cas_tests::web::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A server that runs until it is stopped or dropped.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    url: String,
}

impl Running {
    /// Runs the command, which must begin to serve.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it says where it listens");
        let url = match serde_json::from_str::<Value>(&line) {
            Ok(said) => said["url"].as_str().expect("an address").to_owned(),
            Err(_) => line.rsplit(' ').next().unwrap_or_default().trim_end().to_owned(),
        };
        assert!(url.starts_with("http"), "it says where it listens: {line:?}");
        Self { child, stdout, url }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn address(&self) -> &str {
        self.url.split_once("//").unwrap().1
    }

    fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// How much memory it has, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kib * 1024
    }

    /// How many connections it says it has.
    pub(crate) async fn connections(&self, client: &Client) -> f64 {
        let text = client.get("/metrics").await.expect(200).text();
        let line = text.lines().find_map(|line| line.strip_prefix("cas_connections "));
        line.unwrap().parse().unwrap()
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Waits until it ends: its exit code, and what else it said.
    async fn ended(mut self) -> (Option<i32>, String) {
        let ended = tokio::task::spawn_blocking(move || {
            let mut said = String::new();
            self.stdout.read_to_string(&mut said).unwrap();
            (self.child.wait().unwrap().code(), said)
        });
        let ended = tokio::time::timeout(Duration::from_secs(30), ended).await;
        ended.expect("it ends in time").unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command, with its log in a file.
fn serve(user: &User, args: &[&str]) -> (Command, PathBuf) {
    // Each has its own: two that write to one file write over one another.
    static LOGS: AtomicU32 = AtomicU32::new(0);
    let log = user.path(&format!("log-{}", LOGS.fetch_add(1, Ordering::Relaxed)));
    let mut command = user.command(["serve"]);
    command.args(args).stderr(File::create(&log).unwrap());
    (command, log)
}

fn start(user: &User, args: &[&str]) -> (Running, PathBuf) {
    let (command, log) = serve(user, args);
    (Running::start(command), log)
}

const ANYWHERE: [&str; 2] = ["--listen", "127.0.0.1:0"];

#[tokio::test]
async fn says_where_it_listens_on_one_line_and_stops_when_told() {
    let user = User::with_folder();
    for (args, signal) in [(&[][..], Signal::TERM), (&["--json"], Signal::INT)] {
        let (running, log) = start(&user, &[&ANYWHERE[..], args].concat());
        running.client().get("/readyz").await.expect(200);
        running.client().get("/v1/books").await.expect(200);
        running.signal(signal);
        assert_eq!(running.ended().await, (Some(0), String::new()));
        let log = std::fs::read_to_string(log).unwrap();
        assert!(log.contains("everybody on this machine may do everything"), "{log}");
        assert!(log.contains("stopped"), "{log}");
    }
    // The JSON is of one line, whatever is to come.
    let (mut command, _) = serve(&user, &[&ANYWHERE[..], &["--json"]].concat());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    cas_tests::cli::assert_keys(&said, &["address", "open", "store", "tls", "url"]);
    assert_eq!((&said["open"], &said["tls"]), (&Value::Bool(true), &Value::Bool(false)));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn a_signal_lets_answers_end_and_a_second_one_does_not() {
    let user = User::with_folder();
    user.write("book/large.bin", vec![7; 48 << 20]);
    user.ok(["import", "book", "guide"]);
    let path = "/v1/books/guide/refs/main/files/large.bin";
    let ask = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let (running, _) = start(&user, &ANYWHERE);
    let mut reader = Raw::connect(running.address()).await;
    reader.send(ask.as_bytes()).await;
    assert!(reader.more().await);
    running.signal(Signal::TERM);
    assert_eq!(reader.answer().await.expect("to its end").body.len(), 48 << 20);
    assert_eq!(running.ended().await.0, Some(0));

    let (running, log) = start(&user, &ANYWHERE);
    let mut reader = Raw::connect(running.address()).await;
    reader.send(ask.as_bytes()).await;
    assert!(reader.more().await);
    running.signal(Signal::TERM);
    until(&log, "stopping").await;
    running.signal(Signal::TERM);
    assert_eq!(running.ended().await.0, Some(128 + 15));
}

/// Waits until the log has this.
async fn until(log: &PathBuf, what: &str) {
    let seen = tokio::time::timeout(Duration::from_secs(30), async {
        while !std::fs::read_to_string(log).unwrap().contains(what) {
            tokio::task::yield_now().await;
        }
    });
    seen.await.unwrap_or_else(|_| panic!("{what}: {}", std::fs::read_to_string(log).unwrap()));
}

#[tokio::test]
async fn a_store_without_a_token_is_served_to_this_machine_only() {
    let user = User::with_folder();
    let said = user.fails(2, ["serve", "--listen", "0.0.0.0:0"]);
    assert!(said.contains("no token") && said.contains("hint: `cas token create"), "{said}");
    let secret = user.ok(["token", "create", "--actor", "ada", "--scope", "read"]);
    let (running, _) = start(&user, &["--listen", "0.0.0.0:0", "--json"]);
    let port = running.address().rsplit_once(':').unwrap().1;
    let client = Client::new(&format!("http://127.0.0.1:{port}"));
    client.get("/v1/books").await.expect(401);
    let client = client.with("authorization", &format!("Bearer {}", secret.trim()));
    client.get("/v1/books").await.expect(200);
}

#[tokio::test]
async fn the_log_tells_of_every_request_and_of_no_secret() {
    let user = User::with_folder();
    user.write("book/a.md", "text");
    user.ok(["import", "book", "guide"]);
    let secret = user.ok(["token", "create", "--actor", "ada", "--scope", "write"]);
    let secret = secret.trim();
    let (running, log) =
        start(&user, &[&ANYWHERE[..], &["--log-format", "json", "--log-level", "debug"]].concat());
    let client = running.client().with("authorization", &format!("Bearer {secret}"));
    let file = "/v1/books/guide/refs/main/files/a.md";
    let asked = client.request("GET", &format!("{file}?token={secret}"));
    asked.header("cas-request-id", "asked-1").send().await.expect(200);
    // Those that are refused are logged too.
    let mistyped = secret.replacen("cas_", "cas_0", 1);
    for bad in [format!("Bearer {mistyped}"), format!("Basic {secret}"), secret.to_owned()] {
        let refused = running.client().request("GET", "/v1/books").header("authorization", &bad);
        refused.send().await.expect(401);
    }
    // What is damaged is told in the log with all there is to say, and not in the answer.
    let id = blake3::hash(b"text").to_hex().to_string();
    let blob = user.store().join(format!("blobs/{}/{}", &id[..2], &id[2..]));
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, "tex?").unwrap();
    let (fresh, fresh_log) = start(&user, &[&ANYWHERE[..], &["--log-format", "json"]].concat());
    let answer = fresh.client().with("authorization", &format!("Bearer {secret}")).get(file).await;
    assert_eq!(answer.clone().expect(500).code(), "damaged");
    assert!(!answer.text().contains(&id), "{}", answer.text());
    for running in [running, fresh] {
        running.signal(Signal::TERM);
        assert_eq!(running.ended().await.0, Some(0));
    }
    let text = std::fs::read_to_string(log).unwrap();
    let told = std::fs::read_to_string(fresh_log).unwrap();
    let hidden = &secret[4..];
    for text in [&text, &told] {
        assert!(!text.contains(hidden) && !text.contains(&hidden[..32]), "a secret is logged");
    }
    let read = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    let lines: Vec<Value> = text.lines().map(read).collect();
    let line = lines.iter().find(|line| line["id"] == "asked-1").expect("it is logged");
    assert_eq!((&line["method"], &line["path"]), (&"GET".into(), &file.into()));
    assert_eq!((&line["status"], &line["actor"]), (&200.into(), &"ada".into()));
    assert_eq!(line["sent"], 4);
    assert!(line["ms"].is_number() && line["timestamp"].is_string(), "{line}");
    assert_eq!(lines.iter().filter(|line| line["status"] == 401).count(), 3);
    let failed: Vec<Value> =
        told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let error = failed.iter().find(|line| line["level"] == "ERROR").expect("it is logged");
    assert!(error["error"].as_str().unwrap().contains(&id), "{error}");
    assert_eq!(error["span"]["path"], file, "{error}");
}

#[tokio::test]
async fn a_file_says_what_options_and_variables_do_not() {
    let user = User::with_folder();
    let config = user.write(
        "serve.toml",
        format!(
            "store = {:?}\nlisten = \"127.0.0.1:0\"\nmax-file = \"10 B\"\nmax-page = 7\n\
             log-format = \"json\"\nidle-timeout = \"5s\"\n",
            user.location()
        ),
    );
    let config = config.to_str().unwrap();
    let file = "/v1/books/guide/refs/main/files/a.md";
    let (mut command, log) = serve(&user, &["--config", config]);
    command.env_remove("CAS_STORE");
    let running = Running::start(command);
    running.client().put("/v1/books/guide", "").await.expect(201);
    assert_eq!(running.client().put(file, "more than ten").await.expect(413).code(), "too_large");
    let text = std::fs::read_to_string(log).unwrap();
    assert!(text.lines().skip(1).all(|line| line.starts_with('{')), "{text}");
    drop(running);
    // An option is stronger than a variable, and a variable than the file.
    let (mut command, log) = serve(&user, &["--max-file", "1 KiB"]);
    command.env("CAS_CONFIG", config).env("CAS_LOG_FORMAT", "text");
    let running = Running::start(command);
    running.client().put(file, "more than ten").await.expect(201);
    drop(running);
    assert!(!std::fs::read_to_string(log).unwrap().contains("{\""));
}

#[test]
fn a_file_with_a_mistake_is_refused_by_name() {
    let user = User::with_folder();
    for (text, named) in [
        ("lisen = \"127.0.0.1:0\"", "lisen"),
        ("max-page = \"many\"", "max-page"),
        ("idle-timeout = \"soon\"", "idle-timeout"),
        ("jobs = 0", "jobs"),
        ("log-format = \"xml\"", "xml"),
        ("listen = ", "TOML"),
        ("[limits]\nmax-page = 1", "limits"),
    ] {
        let config = user.write("serve.toml", text);
        let said = user.fails(2, ["serve", "--config", config.to_str().unwrap()]);
        assert!(said.contains("serve.toml") && said.contains(named), "{text}: {said}");
    }
    let said = user.fails(1, ["serve", "--config", "none.toml"]);
    assert!(said.contains("none.toml"), "{said}");
}

#[test]
fn limits_with_which_nothing_works_are_refused() {
    let user = User::with_folder();
    for (args, named) in [
        (["--max-header", "1 KiB"], "max-header"),
        (["--max-requests", "0"], "max-requests"),
        (["--token-ttl", "10m"], "token-ttl"),
        (["--idle-timeout", "0s"], "idle-timeout"),
        (["--tls-cert", "cert.pem"], "--tls-key"),
    ] {
        let said = user.fails(2, ["serve", args[0], args[1]]);
        assert!(said.contains(named), "{args:?}: {said}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = user.fails(1, ["serve", "--listen", &address]);
    assert!(said.contains(&address), "{said}");
}

#[tokio::test]
async fn reads_its_certificate_again_on_hangup() {
    let user = User::with_folder();
    let data = cas_tests::cli::workspace().join("tests/data");
    let [certificate, key] =
        ["tls-cert.pem", "tls-key.pem"].map(|name| data.join(name).to_str().unwrap().to_owned());
    let args = [&ANYWHERE[..], &["--tls-cert", &certificate, "--tls-key", &key]].concat();
    let (running, log) = start(&user, &args);
    assert!(running.url().starts_with("https://"), "{}", running.url());
    running.signal(Signal::HUP);
    until(&log, "read the certificate again").await;
    running.signal(Signal::TERM);
    assert_eq!(running.ended().await.0, Some(0));
}

#[tokio::test]
async fn numbers_are_for_those_who_may_read_everything() {
    let user = User::with_folder();
    user.write("book/a.md", "text");
    user.ok(["import", "book", "guide"]);
    let (running, _) = start(&user, &ANYWHERE);
    let client = running.client();
    for _ in 0..3 {
        client.get("/v1/books/guide/refs/main/files/a.md").await.expect(200);
    }
    client.get("/no/such/route").await.expect(404);
    let metrics = client.get("/metrics").await.expect(200);
    assert!(metrics.header("content-type").starts_with("application/openmetrics-text"));
    let text = metrics.text();
    for line in [
        "cas_requests_total{method=\"GET\",route=\"/v1/books/{book}/refs/{ref}/files/{*path}\",status=\"200\"} 3",
        "cas_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1",
        "cas_requests_in_flight 1",
        "cas_build_info{version=",
        "cas_cache_hits_total{cache=\"memory\"}",
        "cas_request_duration_seconds_bucket{",
        "cas_sent_bytes_total",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line}:\n{text}");
    }
}
