//! Many small tasks, a bounded number at once.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

/// Does `act` for every item, at most `jobs` at once, and returns the results in the order of the
/// items. The first error ends everything.
pub(crate) async fn for_each<T, R, E, F, Fut>(
    items: Vec<T>,
    jobs: usize,
    act: F,
) -> Result<Vec<R>, E>
where
    T: Send + 'static,
    R: Send + 'static,
    E: Send + 'static,
    F: Fn(T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send,
{
    let jobs = jobs.min(items.len());
    if jobs <= 1 {
        let mut results = Vec::with_capacity(items.len());
        for item in items {
            results.push(act(item).await?);
        }
        return Ok(results);
    }
    let queue = Arc::new(Mutex::new(items.into_iter().enumerate()));
    let act = Arc::new(act);
    let mut workers = JoinSet::new();
    for _ in 0..jobs {
        let (queue, act) = (queue.clone(), act.clone());
        workers.spawn(async move {
            let mut done = Vec::new();
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((at, item)) = next else {
                    return Ok(done);
                };
                done.push((at, act(item).await?));
            }
        });
    }
    let mut results = Vec::new();
    while let Some(worker) = workers.join_next().await {
        match worker {
            // Dropping the set aborts the workers that are still running.
            Ok(done) => results.extend(done?),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    results.sort_unstable_by_key(|(at, _)| *at);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn keeps_the_order_and_stops_at_the_first_error() {
        let items: Vec<u32> = (0..100).collect();
        let doubled = for_each(items.clone(), 7, |n| async move { Ok::<_, ()>(n * 2) }).await;
        assert_eq!(doubled, Ok((0..100).map(|n| n * 2).collect()));
        let failed =
            for_each(items, 7, |n| async move { if n == 50 { Err(n) } else { Ok(n) } }).await;
        assert_eq!(failed, Err(50));
        assert_eq!(
            for_each(Vec::<u32>::new(), 7, |n| async move { Ok::<_, ()>(n) }).await,
            Ok(vec![])
        );
    }
}
