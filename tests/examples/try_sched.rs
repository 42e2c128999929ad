//! scratch
use cas_tests::explore::flaw::Flawed;
use cas_tests::explore::gate::Grain;
use cas_tests::explore::schedules::Scene;
use cas_tests::explore::search::Search;
use cas_tests::tell;
use std::time::Instant;
fn main() {
    let before = ["ada puts A at x/one.md in main", "bob creates users/a from main"];
    for (grain, steps) in [
        (Grain::Refs, vec!["ada puts B at x/one.md in main if A", "bob puts A at y/two.md in main"]),
        (Grain::Fine, vec!["ada puts B at x/one.md in main if A", "bob puts A at y/two.md in main"]),
        (Grain::Fine, vec!["ada puts B at x/one.md in main if A", "bob reads main"]),
        (Grain::Fine, vec!["ada puts B at x/one.md in main if A", "bob syncs users/a"]),
        (Grain::Refs, vec!["ada puts B at x/one.md in main if A", "bob removes x/one.md in main if A", "bob puts A at y/two.md in main"]),
        (Grain::Refs, vec!["ada puts B at x/one.md in main if A", "bob puts A at y/two.md in main", "ada reads main"]),
    ] {
        let t = Instant::now();
        let tried = Scene::after(&before, &steps, grain).run();
        tell(&format!("{grain:?} {steps:?}: points {} ends {} longest {} {:.2}s", tried.points, tried.ends, tried.longest, t.elapsed().as_secs_f64()));
        if let Some(found) = tried.found { tell(&found.to_text()); }
    }
    for flaw in Flawed::CONCURRENT {
        let t = Instant::now();
        let mut scene = Scene::after(&before, &["ada puts B at x/one.md in main if A", "bob puts A at x/one.md in main if A"], Grain::Fine);
        scene.flaw = Some(flaw);
        let tried = scene.run();
        tell(&format!("{flaw:?}: points {} ends {} {:.2}s", tried.points, tried.ends, t.elapsed().as_secs_f64()));
        match tried.found { Some(found) => tell(&found.to_text()), None => tell("NOT FOUND") }
    }
    for flaw in Flawed::SEQUENTIAL {
        let t = Instant::now();
        let s = Search::new(5).of_flawed(flaw).run(&mut |_| {});
        tell(&format!("{flaw:?}: {:?} {:.2}s", s.states, t.elapsed().as_secs_f64()));
        match s.found { Some(found) => tell(&found.to_text()), None => tell("NOT FOUND") }
    }
}
