//! Putting together what comes at the same time, so that it costs one request.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};

use super::RemoteError;
use crate::store::StoreError;

/// How long the first of a batch waits for others: little beside a request, and long enough for
/// tasks that were woken together.
const LINGER: Duration = Duration::from_millis(2);

/// How batches are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Most items.
    pub(super) items: usize,
    /// The weight from which on a batch is full.
    pub(super) weight: u64,
    /// How many batches are on their way at once.
    pub(super) lanes: usize,
}

/// What waits for its batch, and for the answer to it.
type Waiting<Q, A> = (Q, oneshot::Sender<Result<A, RemoteError>>);

/// Collects questions and answers them in batches. Dropping it gives up what is under way.
#[derive(Debug)]
pub(super) struct Batcher<Q, A> {
    queue: mpsc::UnboundedSender<Waiting<Q, A>>,
    task: AbortHandle,
}

impl<Q, A> Batcher<Q, A>
where
    Q: Send + 'static,
    A: Send + 'static,
{
    /// `act` answers a batch: as many answers as questions, in their order. Its error is the answer
    /// to each.
    pub(super) fn new<F, Fut>(shape: Shape, weigh: fn(&Q) -> u64, act: F) -> Self
    where
        F: Fn(Vec<Q>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<A>, RemoteError>> + Send + 'static,
    {
        let (queue, waiting) = mpsc::unbounded_channel();
        let task = tokio::spawn(collect(waiting, shape, weigh, Arc::new(act))).abort_handle();
        Self { queue, task }
    }

    /// Asks one question, together with others.
    pub(super) async fn ask(&self, question: Q) -> Result<A, StoreError> {
        let (sender, answer) = oneshot::channel();
        self.queue.send((question, sender)).map_err(|_| StoreError::GivenUp)?;
        Ok(answer.await.map_err(|_| StoreError::GivenUp)??)
    }
}

impl<Q, A> Drop for Batcher<Q, A> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Makes batches of what comes, until nobody can ask any more.
async fn collect<Q, A, F, Fut>(
    mut waiting: mpsc::UnboundedReceiver<Waiting<Q, A>>,
    shape: Shape,
    weigh: fn(&Q) -> u64,
    act: Arc<F>,
) where
    Q: Send + 'static,
    A: Send + 'static,
    F: Fn(Vec<Q>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Vec<A>, RemoteError>> + Send + 'static,
{
    let lanes = Arc::new(Semaphore::new(shape.lanes));
    // Dropping the set gives up the batches that are under way.
    let mut running = JoinSet::new();
    while let Some(first) = waiting.recv().await {
        tokio::time::sleep(LINGER).await;
        // While no lane is free more comes together.
        let Ok(lane) = lanes.clone().acquire_owned().await else { return };
        while running.try_join_next().is_some() {}
        let mut weight = weigh(&first.0);
        let (mut questions, mut senders) = (vec![first.0], vec![first.1]);
        while weight < shape.weight
            && questions.len() < shape.items
            && let Ok((question, sender)) = waiting.try_recv()
        {
            weight += weigh(&question);
            questions.push(question);
            senders.push(sender);
        }
        let act = act.clone();
        running.spawn(async move {
            let _lane = lane;
            let answers = act(questions).await;
            match answers {
                Ok(answers) => {
                    for (sender, answer) in senders.into_iter().zip(answers) {
                        // Whoever asked may have gone away.
                        let _ = sender.send(Ok(answer));
                    }
                }
                Err(error) => {
                    for sender in senders {
                        let _ = sender.send(Err(error.clone()));
                    }
                }
            }
        });
    }
    while running.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[tokio::test(start_paused = true)]
    async fn what_comes_together_is_one_batch_within_its_bounds() {
        let sizes: Arc<Mutex<Vec<usize>>> = Arc::default();
        let seen = sizes.clone();
        let shape = Shape { items: 8, weight: 10, lanes: 1 };
        let batcher = Batcher::new(
            shape,
            |n: &u64| *n,
            move |batch: Vec<u64>| {
                seen.lock().unwrap().push(batch.len());
                async move { Ok(batch.into_iter().map(|n| n * 2).collect()) }
            },
        );
        let light = futures::future::join_all((0..20).map(|_| batcher.ask(1))).await;
        assert!(light.into_iter().all(|answer| answer.unwrap() == 2));
        let heavy = futures::future::join_all((0..4).map(|_| batcher.ask(9))).await;
        assert!(heavy.into_iter().all(|answer| answer.unwrap() == 18));
        assert_eq!(*sizes.lock().unwrap(), [8, 8, 4, 2, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_is_the_answer_to_each() {
        let shape = Shape { items: 8, weight: 10, lanes: 2 };
        let batcher = Batcher::new(
            shape,
            |_: &u64| 1,
            |_| async { Err::<Vec<u64>, _>(RemoteError::lie("s", "no")) },
        );
        for answer in futures::future::join_all((0..3).map(|n| batcher.ask(n))).await {
            assert!(matches!(answer, Err(StoreError::Remote(RemoteError::Lie { .. }))));
        }
    }
}
