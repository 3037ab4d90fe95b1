//! What waits because the endpoint failed, once its breaker lets something through: the first of it asks whether all is well
//! again, and when that is taken the others need not wait out their times. Who was asked to wait does so.

use super::Lanes;
use crate::core::time::Timestamp;
use crate::notify::breaker::Standing;
use crate::notify::job::Place;

impl<R> Lanes<R> {
    /// Follows the breaker of the endpoint.
    pub fn follow(&mut self, now: Timestamp, breaker: Standing) {
        self.asks_at = None;
        let was_open = std::mem::replace(&mut self.is_cut_off, breaker != Standing::Closed);
        match breaker {
            Standing::Closed if was_open => {
                let all: Vec<Place> = self.in_own_time().collect();
                all.into_iter().for_each(|place| self.bring_forward(place));
            }
            Standing::Open(until) if self.ready.is_empty() => {
                let first = self.in_own_time().next();
                if now < until {
                    self.asks_at = first.map(|_| until);
                } else {
                    first.into_iter().for_each(|place| self.bring_forward(place));
                }
            }
            _ => {}
        }
    }

    /// What waits as long as we think right, the next one first.
    fn in_own_time(&self) -> impl Iterator<Item = Place> {
        let is_own = |place: &Place| self.item(*place).is_some_and(|item| item.own_pause);
        self.due.iter().map(|(_, place)| *place).filter(is_own)
    }

    fn bring_forward(&mut self, place: Place) {
        if let Some(next_at) = self.item(place).map(|item| item.next_at) {
            self.due.remove(&(next_at, place));
            self.wake(place);
        }
    }
}
