//! Points, groups of points, and fit.

use super::Reader;
use super::keys::{FIT, GROUP, POINTS, SCORING};
use crate::config::map::Map;
use crate::config::view::{View, optional};
use crate::core::spec::{FitSpec, PointsSpec, ScoringSpec, Tenths};
use crate::core::time::Span;

/// Shorter half-lives make no sense and would only lose points to rounding.
const MIN_HALF_LIFE: Span = Span::from_secs(1);

impl Reader<'_> {
    pub(super) fn scoring(&mut self, view: &View<'_>) -> Option<ScoringSpec> {
        let map = view.map(self.faults, &SCORING)?;
        let half_life = match map.get("half_life") {
            Some(view) => self.half_life(&view),
            None => Some(None),
        };
        let groups = map.get("groups").map(|view| self.groups(&view));
        let points = self.each(&map, "points", |reader, view| reader.points(view, half_life.unwrap_or_default()));
        let fit = self.each(&map, "fit", Self::fit);
        if map.get("points").is_none() && map.get("fit").is_none() {
            map.fault(self.faults, "must have points or fit: nothing scores");
        }
        Some(ScoringSpec {
            half_life: half_life?,
            groups: groups.unwrap_or(Some(Vec::new()))?,
            points: points?,
            fit: fit?,
        })
    }

    /// The items of a list that may be left out or empty.
    fn each<T>(
        &mut self,
        map: &Map<'_>,
        key: &str,
        mut read: impl FnMut(&mut Self, &View<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(view) = map.get(key) else {
            return Some(Vec::new());
        };
        if view.is_null() || view.as_list().is_some_and(|items| items.is_empty()) {
            return Some(Vec::new());
        }
        let items = view.list(self.faults, "entries")?;
        let read: Vec<_> = items.iter().map(|view| read(self, view)).collect();
        read.into_iter().collect()
    }

    fn half_life(&mut self, view: &View<'_>) -> Option<Option<Span>> {
        if view.as_text() == Some("never") {
            return Some(None);
        }
        view.duration(self.faults, MIN_HALF_LIFE).map(Some)
    }

    fn groups(&mut self, view: &View<'_>) -> Option<Vec<(String, Tenths)>> {
        let mut groups = Vec::new();
        for (name, view) in view.named(self.faults, "groups") {
            let cap = view.map(self.faults, &GROUP).and_then(|map| {
                let view = map.get("cap")?;
                let cap = view.points(self.faults)?;
                if cap < Tenths(0) {
                    view.must_be(self.faults, "0 or more");
                    return None;
                }
                Some(cap)
            });
            groups.push(cap.map(|cap| (name.to_owned(), cap)));
        }
        groups.into_iter().collect()
    }

    fn points(&mut self, view: &View<'_>, default: Option<Span>) -> Option<PointsSpec> {
        let map = view.map(self.faults, &POINTS)?;
        let signal = map.get("signal").map(|view| self.signal(&view));
        let points = self.nonzero(&map);
        let group = map.get("group").map(|view| {
            let name = self.group(&view)?;
            if points.is_some_and(|points| points < Tenths(0)) {
                view.fault(self.faults, "negative points take no group: they form one of their own");
                return None;
            }
            Some(name)
        });
        let half_life = match map.get("half_life") {
            Some(view) => self.half_life(&view),
            None => Some(default),
        };
        Some(PointsSpec { signal: signal??, points: points?, group: optional(group)?, half_life: half_life? })
    }

    fn fit(&mut self, view: &View<'_>) -> Option<FitSpec> {
        let map = view.map(self.faults, &FIT)?;
        let trait_name = map.get("trait").map(|view| self.trait_name(&view));
        let matcher = self.trait_tests(&map);
        let points = self.nonzero(&map);
        Some(FitSpec { trait_name: trait_name??, matcher: matcher?, points: points? })
    }

    fn nonzero(&mut self, map: &Map<'_>) -> Option<Tenths> {
        let view = map.get("points")?;
        let points = view.points(self.faults)?;
        if points == Tenths(0) {
            view.fault(self.faults, "must not be 0: leave the entry out");
            return None;
        }
        Some(points)
    }
}
