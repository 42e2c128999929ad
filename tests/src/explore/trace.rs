//! Sequences as text, to be read, kept and run again.
//!
//! A line for each step; lines that begin with `#` say something to people, and one that begins
//! with `with ` names a flaw.

use super::flaw::Flawed;
use super::op::Step;
use super::search::{Counterexample, runtime};
use super::world::{State, Stepped};

impl Counterexample {
    /// The sequence as text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for found in &self.found {
            text.push_str(&format!("# {found}\n"));
        }
        if let Some(flaw) = self.flaw {
            text.push_str(&format!("with {flaw:?}\n"));
        }
        for step in &self.steps {
            text.push_str(&format!("{step}\n"));
        }
        text
    }
}

/// Reads a sequence; an error names the line that is none.
pub fn parse(text: &str) -> Result<(Option<Flawed>, Vec<Step>), String> {
    let mut flaw = None;
    let mut steps = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("with ") {
            let found = Flawed::SEQUENTIAL.into_iter().find(|flaw| format!("{flaw:?}") == name);
            flaw = Some(found.ok_or_else(|| line.to_owned())?);
        } else {
            steps.push(Step::parse(line).ok_or_else(|| line.to_owned())?);
        }
    }
    Ok((flaw, steps))
}

/// Takes the steps of a sequence one after the other, tells of each, and gives what is wrong: at
/// the first step after which anything is.
pub fn replay(text: &str, tell: &mut dyn FnMut(&Step, &[String])) -> Result<Vec<String>, String> {
    let (flaw, steps) = parse(text)?;
    runtime().block_on(async {
        let collects = steps.iter().any(|step| step.op.is_upkeep());
        let mut state = if collects { State::first_aged().await } else { State::first().await };
        for step in steps {
            let memory = state.open().await;
            let Stepped { state: next, mut found, .. } = state.step(&memory, step, flaw).await;
            if found.is_empty() {
                found = next.check(&next.open().await, flaw).await;
            }
            tell(&step, &found);
            if !found.is_empty() {
                return Ok(found);
            }
            state = next;
        }
        Ok(Vec::new())
    })
}
