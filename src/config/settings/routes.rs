//! Routes: which sink takes which alerts, and who gets the rest.

use super::fields::{ALERT_FIELDS, LEAD};
use super::read::Reader;
use crate::config::fault::Place;
use crate::config::map::Map;
use crate::config::rules;
use crate::config::suggest::did_you_mean;
use crate::config::view::View;
use crate::core::spec::Matcher;

/// What each sink takes, in file order; also of sinks whose secrets cannot be had here.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    /// Ids unique.
    pub sinks: Vec<SinkRoute>,
}

/// What one sink takes.
#[derive(Clone, Debug)]
pub struct SinkRoute {
    /// The sink's id.
    pub id: String,
    /// Which alerts.
    pub takes: Takes,
    /// The sink that gets them too while this one cannot be reached.
    pub fallback: Option<String>,
}

/// A fallback as the file names it.
pub(super) struct Named {
    pub sink: String,
    pub fallback: String,
    pub place: Place,
    pub path: String,
}

/// Which alerts a sink takes.
#[derive(Clone, Debug)]
pub enum Takes {
    /// All of them.
    Everything,
    /// Those with these fields, each as its matcher wants it.
    Only(Vec<(String, Matcher)>),
    /// Those that no other sink takes.
    Rest,
}

impl Reader<'_> {
    /// What the sink of this map takes.
    pub(super) fn takes(&mut self, map: &Map<'_>) -> Option<Takes> {
        let only = map.get("only");
        let rest = map.get("rest").map(|view| (view.truth(self.faults), view));
        match (only, rest) {
            (Some(_), Some((Some(true), view))) => {
                view.fault(
                    self.faults,
                    "must not stand beside only: a sink takes what it names, or what no other takes",
                );
                None
            }
            (_, Some((None, _))) => None,
            (Some(view), _) => self.only(&view).map(Takes::Only),
            (None, Some((Some(true), _))) => Some(Takes::Rest),
            (None, _) => Some(Takes::Everything),
        }
    }

    fn only(&mut self, view: &View<'_>) -> Option<Vec<(String, Matcher)>> {
        let faults = self.faults.len();
        let entries = view.entries(self.faults, "an alert's fields such as rule or tier");
        if entries.is_empty() {
            if self.faults.len() == faults {
                view.fault(self.faults, "must have at least one field");
            }
            return None;
        }
        let mut fields = Vec::new();
        for (entry, view) in entries {
            let name = entry.key.as_str();
            let of_lead = name.strip_prefix(LEAD).is_some_and(|rest| rest.split('.').all(|part| !part.is_empty()));
            let known = of_lead || ALERT_FIELDS.contains(&name);
            if !known {
                let hint = did_you_mean(name, ALERT_FIELDS.iter().copied());
                self.faults.add(entry.place, &view.path, format!("an alert has no such field{hint}"));
            }
            let matcher = rules::matcher(&view, self.faults);
            fields.push(matcher.filter(|_| known).map(|matcher| (name.to_owned(), matcher)));
        }
        fields.into_iter().collect()
    }

    /// Whether each fallback is another sink, and none leads back to where it came from.
    pub(super) fn check_fallbacks(&mut self) {
        let next = |sink: &str| self.fallbacks.iter().find(|named| named.sink == sink).map(|named| &named.fallback);
        for Named { sink, fallback, place, path } in &self.fallbacks {
            let mut ids = self.routes.iter().map(|route| route.id.as_str());
            if sink == fallback {
                self.faults.add(*place, path, "must be another sink");
                continue;
            }
            if !ids.clone().any(|id| id == fallback) {
                let hint = did_you_mean(fallback, ids.by_ref().filter(|id| id != sink));
                self.faults.add(*place, path, format!("no sink has the id {fallback:?}{hint}"));
                continue;
            }
            let mut way = vec![sink, fallback];
            while let Some(to) = next(way[way.len() - 1]).filter(|_| way.len() <= self.fallbacks.len() + 1) {
                way.push(to);
                if to == sink {
                    let way: Vec<_> = way.iter().map(|id| id.as_str()).collect();
                    let message = format!("must not lead back to the sink itself: {}", way.join(" -> "));
                    self.faults.add(*place, path, message);
                    break;
                }
            }
        }
    }

    /// Whether the file says who gets what no sink asks for, as it must where one asks for something.
    pub(super) fn check_rest(&mut self, top: &Map<'_>, sinks: Place) {
        let unrouted = top.get("unrouted").map(|view| {
            let is_drop = view.as_text() == Some("drop");
            if !is_drop {
                view.must_be(self.faults, "drop, or nothing and rest: true at one of the sinks");
            }
            (is_drop, view)
        });
        let of = |wanted: fn(&Takes) -> bool| self.routes.iter().filter(move |route| wanted(&route.takes));
        let rests: Vec<_> = of(|takes| matches!(takes, Takes::Rest)).map(|route| route.id.clone()).collect();
        let everything = of(|takes| matches!(takes, Takes::Everything)).map(|route| route.id.clone()).next();
        let has_only = of(|takes| matches!(takes, Takes::Only(_))).next().is_some();
        match (rests.as_slice(), unrouted) {
            ([_, _, ..], _) => {
                let all = rests.join(" and ");
                self.faults.add(sinks, "sinks", format!("only one can have rest: true, but {all} have"));
            }
            ([id], Some((true, view))) => {
                view.fault(self.faults, format!("must not stand beside rest: true of {id}: one of the two says it"));
            }
            ([id], _) => {
                if let Some(other) = everything {
                    let message = format!("{id} gets nothing as the rest: {other} has no only and takes every alert");
                    self.faults.warn(sinks, "sinks", message);
                }
            }
            ([], None) if has_only => {
                let message =
                    "must say who gets what no only takes: rest: true at one of them, or unrouted: drop beside sinks";
                self.faults.add(sinks, "sinks", message);
            }
            ([], _) => {}
        }
    }
}
