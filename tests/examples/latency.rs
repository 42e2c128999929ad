//! Times imports and checkouts against a simulated bucket, by latency and number of jobs.
//!
//! ```text
//! cargo run --release -p cas-tests --example latency -- [--real] [--latency MS,...] [--jobs N,...]
//!     [--files N] [--folders N]
//! ```
//!
//! Prints Markdown tables of seconds. Without `--real` the clock is virtual: what is told is the
//! time spent waiting, with everything else taken to be done in no time. It is the same in every
//! run but for the wait for the next tick of the file system's clock, which a checkout ends with
//! and an import of files that were just written too: in truth some milliseconds, under a virtual
//! clock up to 50. With `--real` the waiting is real, on a runtime of as many threads as there are
//! processors, so that hashing, reading and writing files are in it; the median of three runs is
//! told. The tables of `docs/performance.md` come from here.
//!
//! Each operation runs as a command does: as a process that knows nothing yet, and that reads the
//! store's marker first.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use cas_core::env::Env;
use cas_core::folder::{CheckoutOptions, ImportOptions, NoProgress};
use cas_core::name::{Actor, BookId, RefName, Revision};
use cas_core::repo::{Repository, VersionRequest};
use cas_core::store::{self, Bucket, Store, Writers};
use cas_tests::shape::{Shape, edit};
use cas_tests::simulated::{Network, SimulatedBucket};
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use tokio::time::Instant;

const USAGE: &str =
    "usage: latency [--real] [--latency MS,...] [--jobs N,...] [--files N] [--folders N]";

/// How often everything is done with `--real`.
const ROUNDS: usize = 3;

const OPERATIONS: [&str; 7] = [
    "first import",
    "unchanged import",
    "import of 1 % changed",
    "cold checkout",
    "unchanged checkout",
    "switch of 1 % changed",
    "branch create",
];

/// What R2 has against writing one key again, see [`Network`].
const WRITE_INTERVAL: Duration = Duration::from_secs(1);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Seconds of each operation.
type Times = [f64; OPERATIONS.len()];

#[derive(Debug)]
struct Options {
    real: bool,
    latencies_ms: Vec<usize>,
    jobs: Vec<usize>,
    shape: Shape,
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        real: false,
        latencies_ms: vec![0, 20, 50, 100],
        jobs: vec![1, 4, 16, 64, 256],
        shape: Shape { files: 2_000, folders: 80 },
    };
    while let Some(arg) = args.next() {
        let mut numbers = || {
            let value = args.next().unwrap_or_default();
            let numbers: Option<Vec<usize>> =
                value.split(',').map(|number| number.parse().ok()).collect();
            numbers.ok_or_else(|| format!("{arg} wants numbers, not {value:?}"))
        };
        match arg.as_str() {
            "--real" => options.real = true,
            "--latency" => options.latencies_ms = numbers()?,
            "--jobs" => options.jobs = numbers()?,
            "--files" => options.shape.files = single(&numbers()?)?,
            "--folders" => options.shape.folders = single(&numbers()?)?,
            _ => return Err(format!("unknown argument {arg:?}")),
        }
    }
    if options.shape.files < options.shape.folders {
        return Err("there are fewer files than folders".to_owned());
    }
    Ok(options)
}

fn single(numbers: &[usize]) -> Result<usize, String> {
    match numbers {
        [number] if *number > 0 => Ok(*number),
        _ => Err("the size of a book is one number, and not nothing".to_owned()),
    }
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    let Options { real, latencies_ms, jobs, shape } = options;
    // Kept until the end: ext4 is slow to make files for some time after others were deleted.
    let disk = tempfile::tempdir()?;
    let (clock, rounds) = if *real { ("real", ROUNDS) } else { ("virtual", 1) };
    println!("{} files in {} folders; {clock} clock; seconds\n", shape.files, shape.folders);
    // Under a virtual clock nothing takes any time without latency.
    for latency_ms in latencies_ms.iter().filter(|latency| *real || **latency > 0) {
        let latency = Duration::from_millis(u64::try_from(*latency_ms)?);
        let mut columns = Vec::new();
        for jobs in jobs {
            let mut samples = Vec::new();
            for round in 0..rounds {
                eprintln!("{latency_ms} ms, {jobs} jobs, round {}", round + 1);
                let folder = disk.path().join(format!("{latency_ms}-{jobs}-{round}"));
                std::fs::create_dir(&folder)?;
                samples.push(runtime(*real)?.block_on(measure(*shape, &folder, latency, *jobs))?);
            }
            columns.push(medians(&samples));
        }
        print_table(*latency_ms, jobs, &columns);
    }
    Ok(())
}

fn runtime(real: bool) -> std::io::Result<tokio::runtime::Runtime> {
    if real {
        return tokio::runtime::Builder::new_multi_thread().enable_all().build();
    }
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()
}

fn medians(samples: &[Times]) -> Times {
    std::array::from_fn(|nth| {
        let mut times: Vec<_> = samples.iter().map(|sample| sample[nth]).collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

fn print_table(latency_ms: usize, jobs: &[usize], columns: &[Times]) {
    let jobs: Vec<_> = jobs.iter().map(|jobs| format!("{jobs} at once")).collect();
    println!("| {latency_ms} ms | {} |", jobs.join(" | "));
    println!("| --- |{}", " ---: |".repeat(jobs.len()));
    for (nth, operation) in OPERATIONS.iter().enumerate() {
        let times: Vec<_> = columns.iter().map(|times| format!("{:.2}", times[nth])).collect();
        println!("| {operation} | {} |", times.join(" | "));
    }
    println!();
}

/// One bucket, and the folders of one user of it.
struct Place {
    bucket: Bucket,
    jobs: usize,
    book: PathBuf,
    out: PathBuf,
    index: PathBuf,
}

/// Does everything once, in a new bucket.
async fn measure(
    shape: Shape,
    folder: &Path,
    latency: Duration,
    jobs: usize,
) -> Result<Times, Failure> {
    let network = Network { latency, write_interval: Some(WRITE_INTERVAL), ..Network::default() };
    let bucket = Arc::new(SimulatedBucket::over(Arc::new(InMemory::new()), network));
    let place = Place {
        bucket: Bucket::remote(bucket.clone(), bucket, Key::from("shelf")),
        jobs,
        book: folder.join("book"),
        out: folder.join("out"),
        index: folder.join("index"),
    };
    store::create(&place.bucket, "the bucket", Writers::Any, &Env::system()).await?;
    std::fs::create_dir(&place.book)?;
    shape.write(&place.book)?;
    let first_import = timed(place.import()).await?;
    let unchanged_import = timed(place.import()).await?;
    let cold_checkout = timed(place.checkout()).await?;
    let unchanged_checkout = timed(place.checkout()).await?;
    edit(&place.book, &shape.one_in_a_hundred(), 2)?;
    let changed_import = timed(place.import()).await?;
    let switch = timed(place.checkout()).await?;
    let branch = timed(place.branch()).await?;
    Ok([
        first_import,
        unchanged_import,
        changed_import,
        cold_checkout,
        unchanged_checkout,
        switch,
        branch,
    ])
}

async fn timed(action: impl Future<Output = Result<(), Failure>>) -> Result<f64, Failure> {
    let start = Instant::now();
    action.await?;
    Ok(start.elapsed().as_secs_f64())
}

impl Place {
    /// What a command begins with.
    async fn open(&self) -> Result<Repository, Failure> {
        store::open(&self.bucket, "the bucket").await?;
        let env = Env::system();
        let store = Store::in_bucket(&self.bucket, &env);
        Ok(Repository::new(store, env, Actor::parse("ada")?, self.jobs))
    }

    async fn import(&self) -> Result<(), Failure> {
        let repo = self.open().await?;
        let request = VersionRequest {
            book: book()?,
            branch: RefName::main(),
            message: "import".to_owned(),
            request_id: Env::system().request_id(),
        };
        let options = ImportOptions { index: Some(self.index.clone()), ..ImportOptions::default() };
        repo.import(&self.book, &request, &options, Arc::new(NoProgress)).await?;
        Ok(())
    }

    async fn checkout(&self) -> Result<(), Failure> {
        let repo = self.open().await?;
        let version = repo.open(&Revision::head(book()?, RefName::main())).await?;
        let options = CheckoutOptions::default();
        repo.checkout(&version, &self.out, &options, Arc::new(NoProgress)).await?;
        Ok(())
    }

    async fn branch(&self) -> Result<(), Failure> {
        let repo = self.open().await?;
        let commit = repo.resolve_id(&Revision::head(book()?, RefName::main())).await?;
        repo.create_ref(&repo.ref_request(&book()?, &RefName::parse("users/ada")?, ""), commit)
            .await?;
        Ok(())
    }
}

fn book() -> Result<BookId, Failure> {
    Ok(BookId::parse("guide")?)
}
