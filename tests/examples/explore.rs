//! Explores every small instance of the store: see `docs/explorer.md`.
//!
//! ```sh
//! cargo run --release -p cas-tests --example explore -- [--depth N] [--threads N] [--save FILE]
//! cargo run --release -p cas-tests --example explore -- --replay FILE
//! ```

use std::time::Instant;

use cas_tests::explore::search::{Search, Searched};
use cas_tests::explore::trace;
use cas_tests::tell;

#[expect(clippy::disallowed_methods, reason = "measuring is reading the clock")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    if let Some(file) = option("--replay") {
        let found = trace::replay(&std::fs::read_to_string(file)?, &mut |step, found| {
            tell(&format!("{step}{}", lines(found)));
        })?;
        return if found.is_empty() { Ok(()) } else { Err("something is wrong".into()) };
    }
    let mut search = Search::new(option("--depth").map_or(Ok(4), |text| text.parse())?);
    if let Some(threads) = option("--threads") {
        search.threads = threads.parse()?;
    }
    let started = Instant::now();
    let searched = search.run(&mut |so_far: &Searched, _| {
        let seconds = started.elapsed().as_secs_f64();
        let all: usize = so_far.states.iter().sum();
        tell(&format!(
            "{} operations: {:?} states, {all} in all, {} transitions, {seconds:.1} s",
            so_far.states.len() - 1,
            so_far.states,
            so_far.transitions
        ));
    });
    let Some(found) = searched.found else {
        return Ok(());
    };
    tell(&found.to_text());
    if let Some(file) = option("--save") {
        std::fs::write(file, found.to_text())?;
    }
    Err("something is wrong".into())
}

fn lines(found: &[String]) -> String {
    found.iter().map(|what| format!("\n    {what}")).collect()
}
