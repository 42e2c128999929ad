//! Many clients on one branch at once, through one server and through two on one store.

use std::collections::BTreeSet;

use cas_core::refs::verify_log;
use cas_tests::web::Client;
use futures::future::join_all;

use super::{FILES, Served, guide, id_of, quoted};

/// How many clients write files of their own, and how many fight over one.
const CLIENTS: usize = 64;

/// How many files each of the first writes, and how many times is fought.
const ROUNDS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn invariant_no_lost_update_among_128_clients_of_one_server() {
    let served = Served::start().await;
    race(&served, &[served.client()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_no_lost_update_among_128_clients_of_two_servers() {
    let served = Served::start().await;
    let other = served.another().await;
    race(&served, &[served.client(), other.client()]).await;
}

async fn race(served: &Served, clients: &[Client]) {
    let client = |n: usize| clients[n % clients.len()].clone().with("cas-actor", &format!("c{n}"));
    let prize = format!("{FILES}/prize.md");
    client(0).put(&prize, "start").await.expect(201);
    let writers = join_all((0..CLIENTS).map(|n| {
        let client = client(n);
        async move {
            for round in 0..ROUNDS {
                let url = format!("{FILES}/own/{}/{n}-{round}.md", n % 5);
                client.put(&url, format!("{n} {round}")).await.expect(201);
            }
        }
    }));
    let fight = async {
        let mut current = id_of(b"start");
        for round in 0..ROUNDS {
            let tries = join_all((0..CLIENTS).map(|n| {
                let (client, seen) = (client(n), quoted(&current));
                let prize = &prize;
                async move {
                    let body = format!("{n} wins {round}");
                    let put = client.request("PUT", prize).header("if-match", &seen);
                    (id_of(body.as_bytes()), put.body(body).send().await)
                }
            }))
            .await;
            let winners: Vec<_> = tries.iter().filter(|(_, answer)| answer.status == 200).collect();
            let [(winner, _)] = winners.as_slice() else {
                panic!("{} winners in round {round}", winners.len());
            };
            for (own, answer) in &tries {
                if own != winner {
                    assert_eq!(answer.status, 412, "{}", answer.text());
                    assert_eq!(answer.json()["current"], *winner, "what is there now");
                }
            }
            current.clone_from(winner);
        }
        current
    };
    let (_, prize_id) = futures::join!(writers, fight);

    // Exactly what was answered is in the book and in its log, each under its own name.
    let repo = served.repo();
    let (book, main) = guide();
    let head = repo.find_ref(&book, &main).await.unwrap();
    let tree = repo.store().get_commit(&head.commit).await.unwrap().tree;
    let files = repo.list(tree, &cas_core::name::BookPath::root(), true).await.unwrap();
    assert_eq!(files.len(), CLIENTS * ROUNDS + 1);
    for n in 0..CLIENTS {
        for round in 0..ROUNDS {
            let path = format!("own/{}/{n}-{round}.md", n % 5);
            let file = files.iter().find(|file| file.path.as_str() == path).unwrap();
            assert_eq!(file.id.to_string(), id_of(format!("{n} {round}").as_bytes()), "{path}");
        }
    }
    let prize = files.iter().find(|file| file.path.as_str() == "prize.md").unwrap();
    assert_eq!(prize.id.to_string(), prize_id);
    let log = repo.ref_log(&book, &main, usize::MAX).await.unwrap();
    let requests: Vec<_> = log.iter().flat_map(|entry| entry.entry.requests()).collect();
    // The book's beginning, the prize, every file, every winner.
    assert_eq!(requests.len(), 2 + CLIENTS * ROUNDS + ROUNDS);
    let commits: BTreeSet<_> = requests.iter().filter_map(|request| request.commit).collect();
    assert_eq!(commits.len(), requests.len(), "a commit each");
    for n in 0..CLIENTS {
        let own = requests.iter().filter(|request| request.actor.as_str() == format!("c{n}"));
        assert!(own.count() >= ROUNDS, "every change is in its maker's name");
    }
    let report = verify_log(repo.store(), &book, &main).await.unwrap();
    assert_eq!(report.faults, []);
    let history = repo.history(&[head.commit], &cas_core::name::BookPath::root(), usize::MAX).await;
    assert_eq!(history.unwrap().len(), requests.len(), "a chain without a gap");
}
