//! Sinks: where alerts go.

use std::collections::HashSet;
use std::time::Duration;

use super::keys::SINK;
use super::read::Reader;
use super::routes::Named;
use super::secrets::Needed;
use super::{Sink, SinkRoute, Start};
use crate::config::view::{View, optional};
use crate::core::time::Span;

const DEFAULT_MAX_AGE: Duration = Duration::from_secs(86_400);
const DEFAULT_STALE_AFTER: Duration = Duration::from_secs(1_800);
/// A sink that was tried and has taken nothing for this long cannot be reached: its fallback stands in for it. delivery.md, 5.
pub const STANDS_IN_AFTER: Span = Span::from_secs(300);
const MAX_SINK_ID: usize = 40;

/// Right or wrong, or right but without a secret that cannot be had here.
pub(super) type Read<T> = Result<Option<T>, ()>;

impl Reader<'_> {
    /// The sinks whose secrets can be had.
    pub(super) fn sinks(&mut self, view: &View<'_>) -> Option<Vec<Sink>> {
        if view.is_null() || view.as_list().is_some_and(|items| items.is_empty()) {
            return Some(Vec::new());
        }
        let mut ids = HashSet::new();
        let mut sinks = Vec::new();
        let mut whole = true;
        for view in view.list(self.faults, "sinks")? {
            match self.sink(&view, &mut ids) {
                Ok(sink) => sinks.extend(sink),
                Err(()) => whole = false,
            }
        }
        whole.then_some(sinks)
    }

    fn sink(&mut self, view: &View<'_>, ids: &mut HashSet<String>) -> Read<Sink> {
        let map = view.map(self.faults, &SINK).ok_or(())?;
        let id = map.get("id").and_then(|view| self.sink_id(&view, ids));
        self.in_needed_sink = matches!(self.around.needed, Needed::Sink(needed) if id.as_deref() == Some(needed));
        let start = map.get("start").map(|view| self.start(&view));
        let max_age = map.get("max_age").map(|view| self.span(&view, 1_000, 30 * 86_400_000));
        let stale_after = map.get("stale_after").map(|view| (self.span(&view, 1_000, 30 * 86_400_000), view));
        let takes = self.takes(&map);
        let fallback = map.get("fallback").map(|view| (view.reference(self.faults).map(str::to_owned), view));
        if let (Some(id), Some((Some(fallback), view))) = (&id, &fallback) {
            let (place, path) = (view.node.place, view.path.clone());
            self.fallbacks.push(Named { sink: id.clone(), fallback: fallback.clone(), place, path });
        }
        if let (Some(Some(max_age)), Some((_, view))) = (max_age, &fallback)
            && max_age.as_millis() <= u128::from(STANDS_IN_AFTER.as_millis().unsigned_abs())
        {
            let message =
                "says nothing of this sink: its alerts are given up before (max_age), a fallback stands in after 5 min";
            self.faults.warn(view.node.place, &view.path, message);
        }
        let fallback = fallback.map(|(fallback, _)| fallback);
        if let (Some(id), Some(takes)) = (&id, &takes) {
            let fallback = fallback.clone().flatten();
            self.routes.push(SinkRoute { id: id.clone(), takes: takes.clone(), fallback });
        }
        let mask = map.get("mask").map(|view| self.mask(&view));
        let masked = mask.as_ref().and_then(|mask| mask.as_deref()).unwrap_or_default();
        let slack = map.get("slack").map(|view| self.slack(&view, masked));
        let webhook = map.get("webhook").map(|view| self.webhook(&view));
        let is_bot = map.get("slack").is_some_and(|view| view.entry("token").is_some());
        let stale_after = stale_after.map(|(span, view)| {
            if !is_bot {
                let message = "says nothing of this sink: only a Slack bot (token) gathers what is late in a digest";
                self.faults.warn(view.node.place, &view.path, message);
            }
            span
        });
        let target = slack.or(webhook).ok_or(())??;
        let sink = |target| {
            takes?;
            Some(Sink {
                id: id?,
                start: optional(start)?.unwrap_or(Start::Latest),
                max_age: optional(max_age)?.unwrap_or(DEFAULT_MAX_AGE),
                stale_after: optional(stale_after)?.unwrap_or(DEFAULT_STALE_AFTER),
                fallback: optional(fallback)?,
                mask: optional(mask)?.unwrap_or_default(),
                target,
            })
        };
        target.map(|target| sink(target).ok_or(())).transpose()
    }

    fn sink_id(&mut self, view: &View<'_>, ids: &mut HashSet<String>) -> Option<String> {
        let id = view.reference(self.faults)?;
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=MAX_SINK_ID).contains(&id.len()) || !id.bytes().all(fits) {
            view.must_be(self.faults, "1 to 40 of a-z, 0-9 and -");
            return None;
        }
        if !ids.insert(id.to_owned()) {
            view.fault(self.faults, format!("must be unique, but {id:?} stands twice"));
            return None;
        }
        Some(id.to_owned())
    }
}
