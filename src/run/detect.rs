//! Records to outcomes: decode, step, collect; one for each worker, reused for every record.

use std::sync::Arc;

use crate::codec::{Decoder, Record};
use crate::config::settings::Settings;
use crate::console::View;
use crate::core::engine::{Input, Outcome, Outputs};
use crate::core::limits::MAX_SENT_RECORD;
use crate::core::rule::RuleSet;
use crate::core::time::Timestamp;
use crate::source::Message;
use crate::telemetry::Tally;
use crate::telemetry::events::ForeignKey;

use super::encode;
use super::lane::Lane;
use super::round::Round;
use super::shown;

/// A record's headers as the decoder takes them: text names, values that are there. Reused within one batch.
pub(super) type Headers<'a> = Vec<(&'a str, &'a [u8])>;

/// The decoder, and what it and the engine write to.
pub(super) struct Detector {
    decoder: Decoder,
    outputs: Outputs,
    pub(super) tally: Tally,
    group: String,
    view: Option<Arc<View>>,
    told_of_foreign_key: bool,
    /// A larger value is not sent to the dead-letter topic.
    pub(super) max_dead_letter: usize,
}

impl Detector {
    pub(super) fn new(settings: &Settings, rules: &RuleSet, view: Option<Arc<View>>) -> Self {
        Self {
            decoder: Decoder::new(rules.fields(), &settings.lead_key),
            outputs: Outputs::default(),
            tally: Tally::new(rules.spec().rules.iter().map(|rule| rule.id.as_str())),
            group: settings.group.clone(),
            view,
            told_of_foreign_key: false,
            max_dead_letter: MAX_SENT_RECORD,
        }
    }

    /// Forgets a lead; answers whether it was known.
    pub(super) fn erase(&mut self, lead: &str, lane: &mut Lane) -> bool {
        lane.engine.step(Input::Erase { lead }, &mut self.outputs);
        self.view.iter().for_each(|view| view.erase(lead));
        self.outputs.outcome == Outcome::Applied
    }

    /// Takes one record in. Nothing of it is visible before the round is committed.
    pub(super) fn take<'a>(
        &mut self,
        message: Message<'a>,
        headers: &mut Headers<'a>,
        lane: &mut Lane,
        round: &mut Round,
    ) {
        headers.clear();
        read_headers(message, headers);
        let offset = message.offset();
        let time = message.time().filter(|time| *time >= Timestamp::MIN);
        let record = Record { value: message.value(), headers, time };
        match self.decoder.decode(record) {
            Ok(event) => {
                if message.key() != Some(event.lead.as_bytes()) {
                    self.tally.foreign_key();
                    if !self.told_of_foreign_key {
                        self.told_of_foreign_key = true;
                        let (source, lead) = (&lane.source(offset), event.lead);
                        ForeignKey { source, lead }.tell();
                    }
                }
                let input = Input::Event { event: &event, position: offset.0, record_time: time };
                lane.engine.step(input, &mut self.outputs);
                self.tally.step(&self.outputs);
                if let Some(view) = &self.view {
                    shown::seen(view, lane.engine.rules(), &event, &self.outputs);
                }
                for alert in self.outputs.alerts.drain(..) {
                    let record = encode::alert(&alert, &self.group);
                    round.alert(alert, record, time);
                }
            }
            Err(letter) => {
                self.tally.dead_letter(letter.reason);
                let source = lane.source(offset);
                let record = encode::dead_letter(message, &letter, &source, self.max_dead_letter);
                round.dead_letter(record);
            }
        }
        lane.done(offset);
    }
}

/// Only those that a CloudEvent could need; the others cost nothing more than a look.
fn read_headers<'a>(message: Message<'a>, to: &mut Headers<'a>) {
    message.each_header(|name, value| {
        if let (Ok(name), Some(value)) = (std::str::from_utf8(name), value) {
            to.push((name, value));
        }
    });
}
