//! A file of events through the engine, in file order: what would have fired?

pub mod decisions;
pub mod leaps;
pub mod sample;
pub mod summary;

use std::collections::HashMap;
use std::io::{self, BufRead};
use std::sync::Arc;

use crate::codec::line::{self, Line};
use crate::codec::{DeadLetter, Decoder, Record};
use crate::core::engine::{Engine, Input, Outputs};
use crate::core::event::{Event, FieldPath};
use crate::core::ids::{Origin, Partition};
use crate::core::limits::{MAX_RECORD, MOST_IN_HAND};
use crate::core::rule::RuleSet;

/// Is told what became of each line.
pub trait Observer {
    /// A line was decoded and went through the engine.
    ///
    /// # Errors
    /// Of writing it down; it ends the backtest.
    fn event(&mut self, seen: &Seen<'_>, event: &Event<'_>, out: &Outputs) -> io::Result<()>;

    /// A line could not be read as an event.
    ///
    /// # Errors
    /// Of writing it down; it ends the backtest.
    fn dead_letter(&mut self, seen: &Seen<'_>, letter: &DeadLetter) -> io::Result<()>;
}

/// Why a backtest did not come to its end.
#[derive(Debug)]
pub enum BacktestError {
    /// The events could not be read on.
    Events(io::Error),
    /// What came out could not be written.
    Output(io::Error),
}

/// Where a line stands.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The rules in force.
    pub rules: &'a RuleSet,
    /// Where its engine's records come from.
    pub origin: &'a Origin,
    /// Its offset, or its line number.
    pub position: i64,
    /// Its line number, from 1.
    pub line: u64,
    /// Whether its record has a timestamp, so that a time far ahead is clamped.
    pub stamped: bool,
}

impl Seen<'_> {
    /// The coordinates as printed.
    pub fn source(&self) -> String {
        self.origin.source(self.position)
    }
}

/// Topic and partition; `None` is the file itself.
type Place = Option<(Box<str>, i32)>;

/// Runs files through engines: one for each partition that lines say they come from, one for lines that say nothing.
#[derive(Debug)]
pub struct Backtest {
    rules: Arc<RuleSet>,
    decoder: Decoder,
    path: Box<str>,
    /// Positions in `engines`.
    places: HashMap<Place, usize>,
    engines: Vec<(Origin, Engine)>,
    latest: Option<(Place, usize)>,
    outputs: Outputs,
}

impl Backtest {
    /// A backtest that has seen nothing; `path` is how the file was typed.
    pub fn new(rules: Arc<RuleSet>, lead_key: &[FieldPath], path: &str) -> Self {
        let decoder = Decoder::new(rules.fields(), lead_key);
        Self {
            rules,
            decoder,
            path: path.into(),
            places: HashMap::new(),
            engines: Vec::new(),
            latest: None,
            outputs: Outputs::default(),
        }
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// Of reading, or those of the observer.
    pub fn run(&mut self, mut events: impl BufRead, observer: &mut impl Observer) -> Result<(), BacktestError> {
        // A line that the reader has only the beginning of.
        let mut begun = Vec::new();
        let mut number = 0;
        loop {
            let mut held = match events.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                held => held.map_err(BacktestError::Events)?,
            };
            let len = held.len();
            if len == 0 {
                // The last line may have no line feed.
                return if begun.is_empty() { Ok(()) } else { self.line(number + 1, &begun, observer) };
            }
            // Whole lines are read where the reader has them, without a copy.
            while let Some(end) = memchr::memchr(b'\n', held) {
                let (line, rest) = (&held[..end], &held[end + 1..]);
                number += 1;
                if begun.is_empty() {
                    self.line(number, line, observer)?;
                } else {
                    begun.extend_from_slice(line);
                    self.line(number, &begun, observer)?;
                    begun.clear();
                }
                held = rest;
            }
            begun.extend_from_slice(held);
            events.consume(len);
        }
    }

    /// One line; a blank one is nothing.
    fn line(&mut self, number: u64, line: &[u8], observer: &mut impl Observer) -> Result<(), BacktestError> {
        let text = line.trim_ascii();
        if text.is_empty() { Ok(()) } else { self.event(number, text, observer).map_err(BacktestError::Output) }
    }

    fn event(&mut self, number: u64, bytes: &[u8], observer: &mut impl Observer) -> io::Result<()> {
        let line = line::read(bytes);
        let (place, position) = self.place(&line, number);
        let (origin, engine) = &mut self.engines[place];
        let seen = Seen { rules: &self.rules, origin, position, line: number, stamped: line.time.is_some() };
        let there = line.headers.iter().filter_map(|(name, value)| Some((&**name, value.as_deref()?)));
        let headers: Vec<(&str, &[u8])> = there.collect();
        let time = line.time.filter(|time| time.is_plausible());
        let record = Record { value: line.value.as_deref(), headers: &headers, time };
        match self.decoder.decode(record) {
            Ok(event) => {
                let input = Input::Event { event: &event, position, record_time: time };
                engine.step(input, &mut self.outputs);
                // Nothing is ever undone: what has changed only has to go to rest now and then.
                if engine.changed() >= MOST_IN_HAND {
                    engine.stage();
                    engine.commit();
                }
                observer.event(&seen, &event, &self.outputs)
            }
            Err(letter) => observer.dead_letter(&seen, &letter),
        }
    }

    /// The engine of a line, and the line's position within it.
    fn place(&mut self, line: &Line<'_>, number: u64) -> (usize, i64) {
        let wanted = line.coordinates.as_ref().map(|at| (at.topic.as_str(), at.partition.0));
        let position = line.coordinates.as_ref().map_or(number as i64, |at| at.offset.0);
        if let Some((known, place)) = &self.latest
            && known.as_ref().map(|(topic, partition)| (&**topic, *partition)) == wanted
        {
            return (*place, position);
        }
        let key = wanted.map(|(topic, partition)| (Box::from(topic), partition));
        let place = *self.places.entry(key.clone()).or_insert_with(|| {
            let origin = match &key {
                Some((topic, partition)) => Origin::Topic { topic: topic.clone(), partition: Partition(*partition) },
                None => Origin::File { path: self.path.clone() },
            };
            self.engines.push((origin.clone(), Engine::new(Arc::clone(&self.rules), origin)));
            self.engines.len() - 1
        });
        self.latest = Some((key, place));
        (place, position)
    }

    /// Leads with state.
    pub fn leads(&self) -> usize {
        self.engines.iter().map(|(_, engine)| engine.leads()).sum()
    }
}

/// Bytes of a line that are worth reading whole: a record in base64 with its coordinates.
pub const MAX_LINE: usize = 2 * MAX_RECORD;

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;
    use crate::core::spec::RulesSpec;

    /// Number and what became of each line.
    #[derive(Default)]
    struct Lines(Vec<(u64, String)>);

    impl Observer for Lines {
        fn event(&mut self, seen: &Seen<'_>, event: &Event<'_>, _: &Outputs) -> io::Result<()> {
            self.0.push((seen.line, event.id.map_or_else(|| "no id".to_owned(), |id| id.to_string())));
            Ok(())
        }

        fn dead_letter(&mut self, seen: &Seen<'_>, letter: &DeadLetter) -> io::Result<()> {
            self.0.push((seen.line, letter.reason.name().to_owned()));
            Ok(())
        }
    }

    /// Goal: a line is the same wherever the reader's buffer ends. Method: buffers of each size up to the whole file,
    /// with a blank line, a carriage return, a line that is no JSON, and no line feed at the end.
    #[test]
    fn lines_cross_the_readers_buffer() {
        let event = |id: &str| {
            format!(r#"{{"id":"{id}","time":1767600000000,"type":"page","lead":{{"user_id":"u"}},"page":{{}}}}"#)
        };
        let file = format!("{}\n\n{}\r\nno json\n{}", event("a"), event("b"), event("c"));
        let expected = [(1, "a"), (3, "b"), (4, "not_json"), (5, "c")].map(|(line, what)| (line, what.to_owned()));
        let rules = Arc::new(RuleSet::compile(RulesSpec::empty()));
        for (size, end) in (1..=file.len() + 1).flat_map(|size| [(size, ""), (size, "\n")]) {
            let (text, mut lines) = (format!("{file}{end}"), Lines::default());
            let mut backtest = Backtest::new(Arc::clone(&rules), &[FieldPath::UserId], "events.ndjson");
            backtest.run(BufReader::with_capacity(size, text.as_bytes()), &mut lines).expect("read to the end");
            assert_eq!(lines.0, expected, "a buffer of {size} bytes, ending in {end:?}");
        }
    }
}
