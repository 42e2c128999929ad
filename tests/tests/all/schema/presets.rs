//! Presets against books that are as untidy as real ones.

use std::collections::BTreeSet;
use std::process::Command;

use cas_core::folder;
use cas_core::schema::{Preset, Violation};
use cas_tests::cli::User;

use super::checked;
use crate::books::archives;

fn errors(violations: &[Violation]) -> Vec<&Violation> {
    violations.iter().filter(|found| found.is_error()).collect()
}

#[test]
fn docusaurus_takes_every_version_of_a_real_book() {
    let found = archives();
    if found.is_empty() {
        cas_tests::skip_loudly("there are no real books; CAS_TEST_BOOKS names a folder of them");
        return;
    }
    let user = User::new();
    for (nth, archive) in found.iter().enumerate() {
        let folder = user.path(&format!("v{nth}"));
        std::fs::create_dir(&folder).unwrap();
        let mut tar = Command::new("tar");
        tar.arg("xzf").arg(archive).arg("-C").arg(&folder);
        assert!(tar.status().unwrap().success());
        let violations = folder::validate(&folder, Some(Preset::Docusaurus)).unwrap();
        assert_eq!(errors(&violations), Vec::<&Violation>::new(), "{}", archive.display());
    }
}

#[test]
fn docusaurus_takes_the_site_that_its_own_template_makes() {
    let site = [
        "README.md",
        "blog/2019-05-28-first-blog-post.md",
        "blog/2021-08-26-welcome/index.md",
        "blog/authors.yml",
        "docs/intro.md",
        "docs/tutorial-basics/_category_.json",
        "docs/tutorial-basics/congratulations.md",
        "docs/tutorial-basics/create-a-document.md",
        "docs/tutorial-basics/markdown-features.mdx",
        "docs/tutorial-extras/_category_.json",
        "docs/tutorial-extras/img/docsVersionDropdown.png",
        "docs/tutorial-extras/manage-docs-versions.md",
        "docusaurus.config.js",
        "package.json",
        "sidebars.js",
        "src/components/HomepageFeatures/index.js",
        "src/css/custom.css",
        "src/pages/index.js",
        "src/pages/markdown-page.md",
        "static/.nojekyll",
        "static/img/a/b/c/logo.svg",
    ];
    let violations = checked(Preset::Docusaurus, &site.map(str::to_owned));
    assert_eq!(errors(&violations), Vec::<&Violation>::new());
    let rules: BTreeSet<_> = violations.iter().map(|found| found.rule).collect();
    assert_eq!(rules, BTreeSet::from(["number-missing"]), "warned about, for want of numbers");
}

/// 724 files in 14 parts and 54 chapters, with what real books have beside their lessons.
fn untidy() -> Vec<String> {
    let mut paths: Vec<String> = ["intro.md", "faq.mdx", "about.md", "glossary.md"]
        .map(|name| format!("content/{name}"))
        .into();
    let mut chapters = 0;
    for part in 1..=14 {
        let folder = format!("content/{part:02}-Part_{part}");
        paths.push(format!("{folder}/README.md"));
        for chapter in 1..=if part <= 12 { 4 } else { 3 } {
            chapters += 1;
            let folder = format!("{folder}/{chapter:02}-Chapter_{chapter}");
            if chapters % 2 == 0 {
                paths.push(format!("{folder}/README.md"));
            }
            if chapters % 3 != 0 {
                paths.push(format!("{folder}/{:02}_chapter_{chapter:02}_quiz.md", 9));
            }
            if chapters % 9 == 0 {
                paths.push(format!("{folder}/_category_.json"));
            }
            if chapters % 18 == 0 {
                paths.push(format!("{folder}/04-extra/01-Deep_page.md"));
            }
            for lesson in 1..=5 {
                paths.push(format!("{folder}/{lesson:02}-Lesson_{lesson}.md"));
                paths.push(format!("{folder}/{lesson:02}-Lesson_{lesson}.summary.md"));
            }
        }
    }
    paths.push("content/03-Part_3/02-Chapter_2/04-Another_Lesson.md".to_owned());
    let mut nth = 0;
    while paths.len() < 724 {
        nth += 1;
        let (part, chapter) = (nth % 12 + 1, nth % 4 + 1);
        let chapter = format!("content/{part:02}-Part_{part}/{chapter:02}-Chapter_{chapter}");
        paths.push(format!("{chapter}/{:02}-Long_Lesson_{nth}.md", 10 + nth));
    }
    assert_eq!((chapters, paths.len()), (54, 724));
    paths
}

#[test]
fn an_untidy_book_is_warned_about_and_only_strict_lessons_refuses_it() {
    let paths = untidy();
    let warned = checked(Preset::Docusaurus, &paths);
    assert_eq!(errors(&warned), Vec::<&Violation>::new());
    let of = |rule: &str| warned.iter().filter(|found| found.rule == rule).count();
    assert_eq!((of("number-twice"), of("depth")), (1, 3), "{warned:?}");
    let refused = checked(Preset::StrictLessons, &paths);
    assert!(refused.iter().all(Violation::is_error));
    let files: BTreeSet<_> = refused.iter().map(|found| &found.path).collect();
    let percent = files.len() * 100 / paths.len();
    assert!((10..=16).contains(&percent), "{percent} % of the files");
}
