//! Answers that are late, lost, cut or wrong.

use std::time::Duration;

use cas_tests::cli::snapshot;
use cas_tests::s3::Behaviour;

use super::{Cloud, noise, write_book};

#[test]
fn hundreds_of_requests_that_are_throttled_are_survived() {
    let cloud = Cloud::new();
    write_book(&cloud.user, 200, "first");
    let throttle = || cloud.behave(|behaviour| behaviour.throttled = 300);
    let args = ["import", "book", "guide"];
    let ran = cloud.during(&args, |counts| counts.put >= 10, throttle);
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    assert_eq!(cloud.server.behaviour().throttled, 0, "all of it was used");
    let throttle = || cloud.behave(|behaviour| behaviour.throttled = 200);
    let args = ["checkout", "guide", "site"];
    // Files are read by many requests at once, what comes before by few.
    let ran = cloud.during(&args, |counts| counts.get >= 30, throttle);
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    assert_eq!(snapshot(&cloud.user.path("site")), snapshot(&cloud.user.path("book")));
    cloud.assert_complete();
}

#[test]
fn one_write_a_second_to_a_key_is_enough() {
    let cloud = Cloud::new();
    cloud.behave(|behaviour| behaviour.writes_per_key = Some(Duration::from_secs(1)));
    // Many files of one content, and puts of one content by several processes.
    for n in 0..60 {
        cloud.user.write(&format!("book/{n}.md"), format!("text {}\n", n % 3));
    }
    let children: Vec<_> = ["guide", "second", "third"]
        .map(|book| super::spawn(cloud.user.command(["import", "book", book])))
        .into();
    for child in children {
        let ran = cloud.user.ran(child.wait_with_output().unwrap());
        assert_eq!(ran.code(), 0, "{}", ran.stderr());
    }
    cloud.heal();
    cloud.assert_complete();
}

#[test]
fn a_store_can_be_proved_and_made_where_a_key_takes_few_writes() {
    let cloud = Cloud::without_store();
    cloud.behave(|behaviour| behaviour.writes_per_key = Some(Duration::from_secs(1)));
    cloud.user.ok(["init"]);
}

#[test]
fn puts_that_are_done_unheard_or_refused_without_reason_are_done_once() {
    let cloud = Cloud::with_guide(30);
    let entries = || cloud.user.json(["reflog", "guide@main"]).as_array().unwrap().len();
    for (nth, (lost, conflicts)) in [(1, 0), (40, 0), (0, 1), (0, 30), (20, 20)].iter().enumerate()
    {
        cloud.behave(|behaviour| {
            *behaviour =
                Behaviour { lose_answers: *lost, conflicts: *conflicts, ..Behaviour::default() };
        });
        write_book(&cloud.user, 30, &format!("version {nth}"));
        let report = cloud.user.json(["import", "book", "guide"]);
        assert_eq!(report["mode"], "updated", "{lost} lost, {conflicts} in conflict");
        cloud.heal();
        assert_eq!(entries(), nth + 2, "one entry for each import");
        cloud.assert_complete();
    }
}

#[test]
fn an_entry_whose_answer_is_lost_or_denied_is_written_once() {
    let cloud = Cloud::with_guide(1);
    let flaws: [fn(&mut Behaviour); 4] = [
        |behaviour| behaviour.lose_answers = 1,
        |behaviour| behaviour.lose_answers = 3,
        |behaviour| behaviour.conflicts = 1,
        |behaviour| behaviour.conflicts = 4,
    ];
    for (nth, flaw) in flaws.into_iter().enumerate() {
        let branch = format!("guide@b{nth}");
        cloud.behave(flaw);
        cloud.user.ok(["branch", "create", &branch]);
        cloud.heal();
        assert_eq!(cloud.user.json(["reflog", &branch]).as_array().unwrap().len(), 1);
    }
    cloud.audit();
}

#[test]
fn a_checkout_of_spoiled_answers_is_right_or_fails_aloud() {
    let cloud = Cloud::new();
    write_book(&cloud.user, 40, "first");
    // Too large to be held whole, and to be read by one request.
    cloud.user.write("book/large.bin", noise(9 * 1024 * 1024));
    cloud.user.write("book/medium.bin", noise(5 * 1024 * 1024));
    cloud.user.ok(["import", "book", "guide"]);
    let book = snapshot(&cloud.user.path("book"));
    let flaws: [fn(&mut Behaviour, u64); 3] = [
        |behaviour, times| behaviour.cut_bodies = times,
        |behaviour, times| behaviour.short_bodies = times,
        |behaviour, times| behaviour.wrong_bytes = times,
    ];
    let mut failed = 0;
    for (nth, flaw) in flaws.into_iter().enumerate() {
        for times in [1, 3, 10, 45] {
            let out = format!("out-{nth}-{times}");
            cloud.behave(|behaviour| flaw(behaviour, times));
            let ran = cloud.user.run(["checkout", "guide", &out]);
            cloud.heal();
            if ran.code() == 0 {
                assert_eq!(snapshot(&cloud.user.path(&out)), book, "{out}: silently wrong");
                continue;
            }
            failed += 1;
            assert!(matches!(ran.code(), 1 | 4) && ran.stderr().starts_with("error: "));
            // What was laid out by then is right, and the next checkout goes on.
            cloud.user.ok(["checkout", "guide", &out]);
            assert_eq!(snapshot(&cloud.user.path(&out)), book, "{out}");
        }
    }
    eprintln!("{failed} of 12 checkouts of spoiled answers failed aloud, the others were right");
}

#[test]
fn spoiled_answers_never_change_what_an_import_makes() {
    let cloud = Cloud::with_guide(20);
    let flaws: [fn(&mut Behaviour); 3] = [
        |behaviour| behaviour.cut_bodies = 4,
        |behaviour| behaviour.short_bodies = 2,
        |behaviour| behaviour.wrong_bytes = 2,
    ];
    for (nth, flaw) in flaws.into_iter().enumerate() {
        write_book(&cloud.user, 20, &format!("version {nth}"));
        cloud.behave(flaw);
        let ran = cloud.user.run(["import", "book", "guide"]);
        cloud.heal();
        assert!(ran.code() == 0 || ran.stderr().starts_with("error: "), "{}", ran.stderr());
        cloud.audit();
        cloud.user.ok(["import", "book", "guide"]);
        cloud.assert_complete();
    }
}
