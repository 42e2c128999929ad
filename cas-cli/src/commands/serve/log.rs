//! The log: lines on standard error.

use std::io;

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;

use super::options::{LogFormat, LogLevel};

/// Begins to log what this program says at `level`, and of others only what may need a look.
pub(super) fn begin(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
    };
    let targets = Targets::new().with_default(level.min(Level::WARN)).with_targets([
        ("cas", level),
        ("cas_server", level),
        ("cas_core", level),
    ]);
    let lines = registry().with(targets);
    let begun = match format {
        LogFormat::Text => tracing::subscriber::set_global_default(
            lines.with(layer().with_ansi(false).with_target(false).with_writer(io::stderr)),
        ),
        LogFormat::Json => {
            let json = layer().json().flatten_event(true).with_span_list(false);
            tracing::subscriber::set_global_default(lines.with(json.with_writer(io::stderr)))
        }
    };
    // Nothing else in this program logs, so nobody was first.
    debug_assert!(begun.is_ok());
}
