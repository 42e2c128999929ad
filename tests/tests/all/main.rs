//! One binary for all tests that span the crates, so that linking stays quick.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod archive;
mod books;
mod chaos;
mod cli_archive;
mod cli_bad_input;
mod cli_checkout;
mod cli_commands;
mod cli_diff;
mod cli_hostile;
mod cli_import;
mod cli_over_http;
mod cli_over_s3;
mod cli_search;
mod cli_serve;
mod cli_token;
mod codec_properties;
mod conformance;
mod crash;
mod explore;
mod fleet;
mod format;
mod hostile;
mod http_archive;
mod http_diff;
mod http_search;
mod limits;
mod local_store;
mod merge;
mod personal;
mod race;
mod real_servers;
mod ref_faults;
mod ref_mutants;
mod ref_races;
mod remote;
mod requests;
mod s3_faults;
mod s3_misbehaviour;
mod s3_proxy;
mod s3_server;
mod schema;
mod server;
mod world;
