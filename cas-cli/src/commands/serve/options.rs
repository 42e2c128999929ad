//! The options of a server: from the command line, from variables, from a file, or the default.
//!
//! The file is TOML; its keys are the names of the options. One definition serves all of them, so
//! they cannot come apart.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use cas_server::{Limits, Settings};
use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde::de::{self, Deserializer};

use crate::args::Time;
use crate::commands::Global;
use crate::context::was_given;
use crate::error::CommandError;

/// Where a server listens that is not told where.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// How much is kept in memory where nobody says it: trees and pages of several books.
const MEMORY_CACHE_BYTES: u64 = 256 << 20;

/// Smallest limit on the head of a request: what the HTTP library needs.
const HEADER_BYTES: u64 = 8192;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LogLevel {
    /// What failed.
    Error,
    /// What may need a look.
    Warn,
    /// A line for every request.
    Info,
    /// What connections do.
    Debug,
}

/// Makes the struct and the way to fill what was not said from somewhere else.
macro_rules! options {
    ($($(#[$meta:meta])* $name:ident: $type:ty,)*) => {
        /// What may be said about a server. Nothing means the default.
        #[derive(Debug, Clone, Default, Args, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        pub(super) struct Options {
            $($(#[$meta])* pub(super) $name: Option<$type>,)*
        }

        impl Options {
            /// These options, and where they say nothing, those of `other`.
            fn or(self, other: Self) -> Self {
                Self { $($name: self.$name.or(other.$name),)* }
            }
        }
    };
}

options! {
    /// Where to listen; port 0 for any that is free [default: 127.0.0.1:8080]
    #[arg(long, env = "CAS_LISTEN", hide_env_values = true, value_name = "ADDR")]
    listen: SocketAddr,
    /// Speak TLS, with this certificate (PEM, with the chain); SIGHUP reads it again
    #[arg(long, env = "CAS_TLS_CERT", hide_env_values = true, value_name = "FILE")]
    tls_cert: PathBuf,
    /// The certificate's private key (PEM)
    #[arg(long, env = "CAS_TLS_KEY", hide_env_values = true, value_name = "FILE")]
    tls_key: PathBuf,
    /// Keep what is read in memory, up to so much; 0 for nothing [default: 256 MiB]
    #[arg(long, env = "CAS_MEMORY_CACHE", hide_env_values = true, value_name = "SIZE")]
    #[serde(deserialize_with = "from_text")]
    memory_cache: ByteSize,
    /// How the log on standard error is written [default: text]
    #[arg(long, env = "CAS_LOG_FORMAT", hide_env_values = true, value_name = "FORMAT")]
    log_format: LogFormat,
    /// How much is logged [default: info]
    #[arg(long, env = "CAS_LOG_LEVEL", hide_env_values = true, value_name = "LEVEL")]
    log_level: LogLevel,
    /// Largest file that is taken [default: 1 GiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    #[serde(deserialize_with = "from_text")]
    max_file: ByteSize,
    /// Largest body of any other request [default: 32 MiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    #[serde(deserialize_with = "from_text")]
    max_body: ByteSize,
    /// Most entries of one page of a list [default: 1000]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    max_page: usize,
    /// Most connections at once; further ones wait [default: 16384]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    max_connections: usize,
    /// Most requests at once; further ones are refused with 503 [default: 1024]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    max_requests: usize,
    /// Longest head of a request, at least 8 KiB [default: 64 KiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    #[serde(deserialize_with = "from_text")]
    max_header: ByteSize,
    /// How long the head of a request may take [default: 10s]
    #[arg(long, value_name = "DURATION", help_heading = "Limits")]
    #[serde(deserialize_with = "from_text")]
    header_timeout: Time,
    /// How long a connection may be without a request [default: 60s]
    #[arg(long, value_name = "DURATION", help_heading = "Limits")]
    #[serde(deserialize_with = "from_text")]
    idle_timeout: Time,
    /// How long the work on a request may take until its answer begins [default: 60s]
    #[arg(long, value_name = "DURATION", help_heading = "Limits")]
    #[serde(deserialize_with = "from_text")]
    request_timeout: Time,
    /// Drop clients that send or take fewer bytes a second than this [default: 1 KiB]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    #[serde(deserialize_with = "from_text")]
    least_rate: ByteSize,
    /// ... averaged over so much waiting for them [default: 20s]
    #[arg(long, value_name = "DURATION", help_heading = "Limits")]
    #[serde(deserialize_with = "from_text")]
    rate_window: Time,
    /// Most requests a second with one token; 0 for no limit [default: 2000]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    token_rate: u32,
    /// How long what is known about a token may be out of date [default: 5s]
    #[arg(long, value_name = "DURATION", help_heading = "Limits")]
    #[serde(deserialize_with = "from_text")]
    token_ttl: Time,
    /// How long requests under way may take to end when the server is stopped [default: 30s]
    #[arg(long, value_name = "DURATION", help_heading = "Limits")]
    #[serde(deserialize_with = "from_text")]
    drain_timeout: Time,
}

/// A value that is written as text, in a file as on the command line.
fn from_text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(de::Error::custom)
}

/// Options of every command that may stand in the file as well.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Shared {
    store: Option<String>,
    jobs: Option<usize>,
    cache: Option<PathBuf>,
    #[serde(deserialize_with = "from_text")]
    cache_size: Option<ByteSize>,
    signing_key: Option<String>,
}

/// The names of [`Shared`].
const SHARED: [&str; 5] = ["store", "jobs", "cache", "cache-size", "signing-key"];

impl Options {
    /// These options, those of the file at `path` where they say nothing, and with the same of the
    /// options of every command.
    pub(super) fn with_file(
        self,
        path: &Path,
        global: &Global,
    ) -> Result<(Self, Global), CommandError> {
        let read = std::fs::read_to_string(path);
        let text = read.map_err(CommandError::io(format!("read {}", path.display())))?;
        let bad = |error: &dyn std::fmt::Display| {
            let said = error.to_string();
            CommandError::Usage(format!("{}: {}", path.display(), said.trim_end()))
        };
        let mut table: toml::Table = toml::from_str(&text).map_err(|error| bad(&error))?;
        let mut shared = toml::Table::new();
        for name in SHARED {
            if let Some(value) = table.remove(name) {
                shared.insert(name.to_owned(), value);
            }
        }
        let shared: Shared = shared.try_into().map_err(|error: toml::de::Error| bad(&error))?;
        let options: Self = table.try_into().map_err(|error: toml::de::Error| bad(&error))?;
        if shared.jobs.is_some_and(|jobs| !(1..=1024).contains(&jobs)) {
            return Err(bad(&"jobs: a number from 1 to 1024"));
        }
        let mut global = global.clone();
        global.store = global.store.or(shared.store);
        global.jobs = global.jobs.or(shared.jobs);
        global.cache = global.cache.or(shared.cache);
        global.signing_key = global.signing_key.or(shared.signing_key);
        if let Some(size) = shared.cache_size
            && !was_given("--cache-size", "CAS_CACHE_SIZE")
        {
            global.cache_size = size;
        }
        Ok((self.or(options), global))
    }

    /// Where to listen.
    pub(super) fn address(&self) -> SocketAddr {
        self.listen.unwrap_or(LISTEN)
    }

    /// How much of what is read is kept in memory, in bytes.
    pub(super) fn memory_cache(&self) -> u64 {
        self.memory_cache.map_or(MEMORY_CACHE_BYTES, |size| size.as_u64())
    }

    /// The settings of a server that moves `jobs` objects at once for one request.
    pub(super) fn settings(&self, jobs: Option<usize>) -> Result<Settings, CommandError> {
        let Settings { jobs: usual_jobs, blob_limit, body_limit, page_limit, limits } =
            Settings::default();
        let time = |said: Option<Time>, usual| said.map_or(usual, |Time(time)| time);
        let bytes = |said: Option<ByteSize>, usual| said.map_or(usual, |size| size.as_u64());
        let whole = |said: Option<ByteSize>, usual: usize| {
            said.map_or(usual, |size| usize::try_from(size.as_u64()).unwrap_or(usize::MAX))
        };
        let limits = Limits {
            connections: self.max_connections.unwrap_or(limits.connections),
            requests: self.max_requests.unwrap_or(limits.requests),
            header_bytes: whole(self.max_header, limits.header_bytes),
            header_timeout: time(self.header_timeout, limits.header_timeout),
            idle_timeout: time(self.idle_timeout, limits.idle_timeout),
            request_timeout: time(self.request_timeout, limits.request_timeout),
            least_rate: bytes(self.least_rate, limits.least_rate),
            rate_window: time(self.rate_window, limits.rate_window),
            token_rate: match self.token_rate {
                Some(rate) => NonZeroU32::new(rate),
                None => limits.token_rate,
            },
            token_ttl: time(self.token_ttl, limits.token_ttl),
            drain_timeout: time(self.drain_timeout, limits.drain_timeout),
        };
        let settings = Settings {
            jobs: jobs.unwrap_or(usual_jobs),
            blob_limit: bytes(self.max_file, blob_limit),
            body_limit: whole(self.max_body, body_limit),
            page_limit: self.max_page.unwrap_or(page_limit),
            limits,
        };
        check(&settings)?;
        Ok(settings)
    }

    /// The certificate and its key, if TLS is to be spoken.
    pub(super) fn tls_files(&self) -> Result<Option<(&Path, &Path)>, CommandError> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (None, None) => Ok(None),
            _ => Err(CommandError::Usage("--tls-cert and --tls-key belong together".to_owned())),
        }
    }
}

/// Refuses limits with which nothing would work.
fn check(settings: &Settings) -> Result<(), CommandError> {
    let limits = &settings.limits;
    let rules = [
        (limits.connections > 0, "max-connections is at least 1"),
        (limits.connections <= 1 << 20, "max-connections is at most 1048576"),
        (limits.requests > 0, "max-requests is at least 1"),
        (limits.requests <= 1 << 20, "max-requests is at most 1048576"),
        (settings.page_limit > 0, "max-page is at least 1"),
        (limits.header_bytes as u64 >= HEADER_BYTES, "max-header is at least 8 KiB"),
        (limits.header_bytes <= 16 << 20, "max-header is at most 16 MiB"),
        (!limits.header_timeout.is_zero(), "header-timeout is more than nothing"),
        (!limits.idle_timeout.is_zero(), "idle-timeout is more than nothing"),
        (!limits.request_timeout.is_zero(), "request-timeout is more than nothing"),
        (!limits.rate_window.is_zero(), "rate-window is more than nothing"),
        (limits.token_ttl.as_secs() <= 300, "token-ttl is at most 300s"),
    ];
    match rules.into_iter().find(|(holds, _)| !holds) {
        Some((_, rule)) => Err(CommandError::Usage(rule.to_owned())),
        None => Ok(()),
    }
}
