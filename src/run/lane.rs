//! The partitions that a worker owns, each with its engine and its offsets.

use std::collections::BTreeMap;

use super::handover::Handover;
use crate::codec::state::{self, NamesId};
use crate::core::engine::Engine;
use crate::core::ids::{NextOffset, Offset, Origin, Partition};
use crate::core::stored::Form;
use crate::core::time::Day;
use crate::sink::Changelog;
use crate::source::Resolution;

/// One partition: its leads' state and how far it was read.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) engine: Engine,
    origin: Origin,
    names: LaneNames,
    /// Of the last record taken.
    next: NextOffset,
    /// As of the last commit.
    committed: NextOffset,
    /// The committed offset is not known to the group yet.
    fresh: bool,
    /// Of the last feedback taken; `None` before the first.
    feedback: Option<NextOffset>,
    /// As of the last commit.
    feedback_committed: Option<NextOffset>,
    /// The offset of the feedback is to be committed although nothing was heard.
    renews_feedback: bool,
}

/// The state of a partition as of a commit.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) engine: Engine,
    /// Whether the changelog has the engine's names.
    pub(super) named: bool,
}

/// What the numbers in the lane's states mean, as the changelog has it.
#[derive(Debug)]
struct LaneNames {
    id: NamesId,
    key: Vec<u8>,
    value: Vec<u8>,
    /// The changelog has them.
    written: bool,
}

impl Lane {
    fn new(topic: &str, partition: Partition, begin: Resolution, Kept { engine, named }: Kept) -> Self {
        let next = Offset(begin.offset().0 - 1).next();
        let (id, key, value) = state::names(engine.names());
        Self {
            engine,
            origin: Origin::Topic { topic: topic.into(), partition },
            names: LaneNames { id, key, value, written: named },
            next,
            committed: next,
            fresh: matches!(begin, Resolution::Fresh(_)),
            feedback: None,
            feedback_committed: None,
            renews_feedback: false,
        }
    }

    /// Gathers what the next commit, of that day, writes down.
    fn stage(&mut self, partition: Partition, changelog: &mut Changelog, today: Day) {
        let moved = self.has_moved();
        self.engine.set_day(today);
        self.engine.stage();
        let LaneNames { id, key, value, written } = &self.names;
        // Once for each partition, before any lead: an empty changelog is one that was deleted.
        if moved && !written {
            changelog.add(partition, key, value, &[]);
        }
        let head = state::head(*id, Form::Compact);
        self.engine.each_record(|lead, state| {
            let head = if state.is_empty() { &[][..] } else { &head };
            changelog.add(partition, lead, head, state);
        });
    }

    /// The record at this offset is done.
    pub(super) fn done(&mut self, offset: Offset) {
        self.next = offset.next();
    }

    /// What was said at this offset of the feedback topic is done.
    pub(super) fn heard(&mut self, offset: Offset) {
        self.feedback = Some(offset.next());
    }

    /// What was said before this offset of the feedback topic was done by a former owner.
    pub(super) fn heard_up_to(&mut self, offset: Option<Offset>) {
        self.feedback = offset.map(|offset| Offset(offset.0 - 1).next());
        self.feedback_committed = self.feedback;
        self.renews_feedback = true;
    }

    /// The coordinates of a record of this partition.
    pub(super) fn source(&self, offset: Offset) -> String {
        self.origin.source(offset.0)
    }

    /// Reads on from here, after records were lost: the jump is committed with the next round.
    pub(super) fn resume_at(&mut self, offset: Offset) {
        self.next = Offset(offset.0 - 1).next();
    }

    pub(super) fn next(&self) -> Offset {
        Offset(self.next.get())
    }

    fn has_moved(&self) -> bool {
        self.fresh || self.next != self.committed || self.has_heard() || self.engine.has_changes()
    }

    fn has_heard(&self) -> bool {
        self.feedback != self.feedback_committed || self.renews_feedback && self.feedback.is_some()
    }
}

/// All partitions of one worker.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    by_partition: BTreeMap<Partition, Lane>,
}

impl Lanes {
    /// Begins a partition with the state that belongs to its offset.
    pub(super) fn open(&mut self, topic: &str, (partition, begin): (Partition, Resolution), state: Kept) {
        self.by_partition.insert(partition, Lane::new(topic, partition, begin, state));
    }

    /// Ends partitions; the state of each is left for the next owner, as of its committed offset.
    pub(super) fn close(&mut self, partitions: &[Partition], handover: &Handover) {
        for partition in partitions {
            if let Some(lane) = self.by_partition.remove(partition) {
                let state = Kept { engine: lane.engine, named: lane.names.written };
                let heard = lane.feedback_committed.map(|next| Offset(next.get()));
                handover.leave(*partition, state, (Offset(lane.committed.get()), heard));
            }
        }
    }

    /// Forgets leads of partitions that have more than so many; answers with their number.
    pub(super) fn keep_at_most(&mut self, most: usize) -> usize {
        self.by_partition.values_mut().map(|lane| lane.engine.keep_at_most(most)).sum()
    }

    pub(super) fn get_mut(&mut self, partition: Partition) -> Option<&mut Lane> {
        self.by_partition.get_mut(&partition)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Partition, &Lane)> {
        self.by_partition.iter().map(|(partition, lane)| (*partition, lane))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Partition, &mut Lane)> {
        self.by_partition.iter_mut().map(|(partition, lane)| (*partition, lane))
    }

    /// Whether there are offsets to commit.
    pub(super) fn have_moved(&self) -> bool {
        self.by_partition.values().any(Lane::has_moved)
    }

    /// The offsets to commit.
    pub(super) fn offsets(&self) -> impl Iterator<Item = (Partition, NextOffset)> {
        let moved = self.iter().filter(|(_, lane)| lane.has_moved());
        moved.map(|(partition, lane)| (partition, lane.next))
    }

    /// The offsets of the feedback topic to commit.
    pub(super) fn feedback_offsets(&self) -> impl Iterator<Item = (Partition, NextOffset)> {
        let heard = self.iter().filter(|(_, lane)| lane.has_heard());
        heard.filter_map(|(partition, lane)| Some((partition, lane.feedback?)))
    }

    /// Has the offsets of the feedback committed anew, so that Kafka does not forget them.
    pub(super) fn renew_feedback(&mut self) {
        self.by_partition.values_mut().for_each(|lane| lane.renews_feedback = true);
    }

    /// What was heard and not committed will be heard again: from where, `None` if nothing ever was committed here.
    pub(super) fn unheard(&self) -> Vec<(Partition, Option<Offset>)> {
        let heard = self.iter().filter(|(_, lane)| lane.has_heard());
        heard.map(|(partition, lane)| (partition, lane.feedback_committed.map(|next| Offset(next.get())))).collect()
    }

    /// Leads that the next commit writes down.
    pub(super) fn changed(&self) -> usize {
        self.by_partition.values().map(|lane| lane.engine.changed()).sum()
    }

    /// Gathers what the next commit, of that day, writes down.
    pub(super) fn stage(&mut self, changelog: &mut Changelog, today: Day) {
        changelog.clear();
        self.by_partition.iter_mut().for_each(|(partition, lane)| lane.stage(*partition, changelog, today));
    }

    /// The round is on the topics.
    pub(super) fn commit(&mut self) {
        for lane in self.by_partition.values_mut() {
            lane.names.written |= lane.has_moved();
            lane.engine.commit();
            lane.committed = lane.next;
            lane.feedback_committed = lane.feedback;
            lane.renews_feedback = false;
            lane.fresh = false;
        }
    }

    /// The round is undone: where each partition has to be read again.
    pub(super) fn roll_back(&mut self) -> Vec<(Partition, Offset)> {
        let undone = self.by_partition.iter_mut().map(|(partition, lane)| {
            lane.engine.roll_back();
            lane.next = lane.committed;
            lane.feedback = lane.feedback_committed;
            (*partition, lane.next())
        });
        undone.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::core::rule::RuleSet;
    use crate::core::spec::RulesSpec;

    fn lanes(begin: Resolution) -> Lanes {
        let rules = Arc::new(RuleSet::compile(RulesSpec::empty()));
        let mut lanes = Lanes::default();
        let engine = Engine::new(rules, Origin::File { path: "".into() });
        lanes.open("engagement", (Partition(3), begin), Kept { engine, named: false });
        lanes
    }

    fn offsets(lanes: &Lanes) -> Vec<(i32, i64)> {
        lanes.offsets().map(|(partition, next)| (partition.0, next.get())).collect()
    }

    #[test]
    fn offsets_move_last_and_only_once() {
        let mut lanes = lanes(Resolution::Committed(Offset(10)));
        assert!(!lanes.have_moved(), "the group knows where we are");
        lanes.get_mut(Partition(3)).expect("open").done(Offset(10));
        lanes.get_mut(Partition(3)).expect("open").done(Offset(14));
        assert_eq!(offsets(&lanes), [(3, 15)]);
        lanes.stage(&mut Changelog::default(), Day::default());
        lanes.commit();
        assert_eq!(offsets(&lanes), []);
        lanes.get_mut(Partition(3)).expect("open").done(Offset(15));
        assert_eq!(lanes.roll_back(), [(Partition(3), Offset(15))], "read again from the commit");
        assert_eq!(offsets(&lanes), []);
    }

    /// Goal: Kafka must not forget up to where the feedback was heard. Method: it is committed when a partition begins,
    /// and whenever it is to be renewed, though nothing new was heard.
    #[test]
    fn the_offsets_of_the_feedback_are_renewed() {
        let mut lanes = lanes(Resolution::Committed(Offset(10)));
        let heard = |lanes: &Lanes| lanes.feedback_offsets().map(|(_, next)| next.get()).collect::<Vec<_>>();
        lanes.renew_feedback();
        assert!(heard(&lanes).is_empty(), "nothing ever was heard here");
        lanes.get_mut(Partition(3)).expect("open").heard_up_to(Some(Offset(7)));
        assert_eq!((heard(&lanes), lanes.have_moved()), (vec![7], true), "at the beginning");
        lanes.commit();
        assert_eq!((heard(&lanes), lanes.have_moved()), (vec![], false));
        lanes.renew_feedback();
        assert_eq!(heard(&lanes), [7]);
    }

    #[test]
    fn a_fresh_start_is_committed_before_the_first_record() {
        let mut lanes = lanes(Resolution::Fresh(Offset(0)));
        assert_eq!(offsets(&lanes), [(3, 0)]);
        assert_eq!(lanes.roll_back(), [(Partition(3), Offset(0))]);
        assert_eq!(offsets(&lanes), [(3, 0)], "an abort does not forget it");
        lanes.commit();
        assert!(!lanes.have_moved());
    }

    #[test]
    fn state_changes_owners_at_exactly_its_committed_offset() {
        let (handover, here) = (Handover::default(), Partition(3));
        let mut first = lanes(Resolution::Committed(Offset(7)));
        first.close(&[here], &handover);
        assert!(handover.take(here, (Offset(8), None)).is_none(), "another offset is another state");
        let mut first = lanes(Resolution::Committed(Offset(7)));
        first.get_mut(here).expect("ours").heard_up_to(Some(Offset(3)));
        first.close(&[here], &handover);
        assert!(handover.take(here, (Offset(7), Some(Offset(4)))).is_none(), "a lead may have been erased since");
        let mut first = lanes(Resolution::Committed(Offset(7)));
        first.get_mut(here).expect("ours").done(Offset(7));
        first.close(&[here], &handover);
        assert!(handover.take(here, (Offset(7), None)).is_some(), "what was not committed does not count");
        assert!(handover.take(here, (Offset(7), None)).is_none(), "once");
    }
}
