//! `backtest --decisions` and `--json`: one line a decision, or one line an alert.

use std::io::{self, Write};

use serde::Serialize;

use super::{Observer, Seen};
use crate::codec::DeadLetter;
use crate::core::engine::{Outcome, Outputs, Verdict};
use crate::core::event::Event;
use crate::core::time::Timestamp;

/// One line for each touched rule, one for each refused event (rules.md 27).
#[derive(Debug)]
pub struct Decisions<W>(pub W);

/// One line for each alert, of any kind.
#[derive(Debug)]
pub struct Alerts<W>(pub W);

#[derive(Serialize)]
struct Row<'a> {
    lead: Option<&'a str>,
    rule: Option<&'a str>,
    decision: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    time: Option<Timestamp>,
    event_id: &'a str,
}

impl<W: Write> Decisions<W> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, row)?;
        self.0.write_all(b"\n")
    }
}

impl<W: Write> Observer for Decisions<W> {
    fn event(&mut self, seen: &Seen<'_>, event: &Event<'_>, out: &Outputs) -> io::Result<()> {
        let spec = seen.rules.spec();
        let source;
        let event_id = match event.id {
            Some(id) => id,
            None => {
                source = seen.source();
                &source
            }
        };
        let row = Row {
            lead: Some(event.lead),
            rule: None,
            decision: out.outcome.name(),
            by: None,
            reason: None,
            time: Some(out.time),
            event_id,
        };
        match out.outcome {
            Outcome::Applied => {}
            Outcome::Ignored(by) => {
                return self.row(&Row { by: Some(&spec.ignore[usize::from(by)].name), ..row });
            }
            Outcome::Unmatched | Outcome::Duplicate => return self.row(&row),
        }
        for decision in &out.decisions {
            let by = match decision.verdict {
                Verdict::Suppressed(by) => Some(spec.suppress[usize::from(by)].name.as_str()),
                _ => None,
            };
            self.row(&Row {
                rule: Some(&spec.rules[usize::from(decision.rule)].id),
                decision: decision.verdict.name(),
                by,
                ..row
            })?;
        }
        Ok(())
    }

    fn dead_letter(&mut self, seen: &Seen<'_>, letter: &DeadLetter) -> io::Result<()> {
        let source = seen.source();
        self.row(&Row {
            lead: letter.lead.as_deref(),
            rule: None,
            decision: "dead_letter",
            by: None,
            reason: Some(letter.reason.name()),
            time: letter.time,
            event_id: letter.id.as_deref().unwrap_or(&source),
        })
    }
}

impl<W: Write> Observer for Alerts<W> {
    fn event(&mut self, _: &Seen<'_>, _: &Event<'_>, out: &Outputs) -> io::Result<()> {
        for alert in &out.alerts {
            serde_json::to_writer(&mut self.0, alert)?;
            self.0.write_all(b"\n")?;
        }
        Ok(())
    }

    fn dead_letter(&mut self, _: &Seen<'_>, _: &DeadLetter) -> io::Result<()> {
        Ok(())
    }
}
