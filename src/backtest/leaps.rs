//! Times that lie far after everything before them in a plain file, where nothing clamps them (rules.md 5).

use std::fmt;
use std::io;

use super::{Observer, Seen};
use crate::codec::DeadLetter;
use crate::core::engine::Outputs;
use crate::core::event::Event;
use crate::core::time::{Span, Timestamp};

/// So far after everything before it is worth a word: it moves its lead's clock for good.
const ODD: Span = Span::from_secs(30 * 86_400);

/// Lines that are told of.
const SHOWN: usize = 5;

/// The first such lines. Prints a line for each.
#[derive(Debug, Default)]
pub struct Leaps {
    latest: Option<Timestamp>,
    lines: Vec<(u64, Timestamp)>,
}

impl Leaps {
    /// Looks at an event's time.
    pub fn note(&mut self, seen: &Seen<'_>, time: Timestamp) {
        let latest = self.latest.get_or_insert(time);
        if !seen.stamped && time - *latest > ODD && self.lines.len() < SHOWN {
            self.lines.push((seen.line, time));
        }
        *latest = time.max(*latest);
    }
}

impl fmt::Display for Leaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|(line, time)| {
            writeln!(
                f,
                "warning: line {line}: {time} lies far after all lines before it, and nothing clamps a plain file"
            )
        })
    }
}

/// An observer whose output has no room for warnings, and the leaps beside it.
#[derive(Debug)]
pub struct Watched<O> {
    /// What is told of each line too.
    pub observer: O,
    /// What it has no room for.
    pub leaps: Leaps,
}

impl<O> Watched<O> {
    /// Nothing seen yet.
    pub fn new(observer: O) -> Self {
        Self { observer, leaps: Leaps::default() }
    }
}

impl<O: Observer> Observer for Watched<O> {
    fn event(&mut self, seen: &Seen<'_>, event: &Event<'_>, out: &Outputs) -> io::Result<()> {
        self.leaps.note(seen, event.time);
        self.observer.event(seen, event, out)
    }

    fn dead_letter(&mut self, seen: &Seen<'_>, letter: &DeadLetter) -> io::Result<()> {
        self.observer.dead_letter(seen, letter)
    }
}
