//! What a worker does when the group gives it partitions or takes them back: state first, then records.

use super::*;

impl Worker {
    pub(super) fn accept(&mut self, partitions: &[Partition]) -> Result<(), RunError> {
        let (start, known) = (self.shared.settings.start, self.shared.known);
        let begins = loop {
            match self.member.resolve(partitions, start, known, now_ms()) {
                Ok(begins) => break begins,
                Err(SourceError::Away(_)) if self.shared.hooks.stop.is_told() => return Ok(()),
                // The broker log has the reason.
                Err(SourceError::Away(_)) => self.shared.hooks.stop.wait(BACKOFF),
                Err(error) => return Err(self.source(error)),
            }
        };
        let positions: Vec<_> = begins.iter().map(|(partition, begin)| (*partition, begin.offset())).collect();
        self.member.assign(&positions).map_err(|e| self.source(e))?;
        // Nothing is fetched before its state is there.
        self.member.pause(partitions).map_err(|e| self.source(e))?;
        Assigned { worker: self.number, partitions: &positions }.tell();
        let heard = self.heard(partitions)?;
        for begin in begins {
            let heard = heard.iter().find(|(partition, _)| *partition == begin.0).and_then(|(_, offset)| *offset);
            match self.state_at_hand(begin, heard) {
                Some(state) => self.open_lane(begin, state)?,
                None => self.begin_restore(begin)?,
            }
        }
        self.observe(Instant::now());
        self.settle();
        Ok(())
    }

    /// Begins a partition with its state: its records are fetched, and what was said about its leads since.
    fn open_lane(&mut self, begin: (Partition, Resolution), state: Kept) -> Result<(), RunError> {
        let (partition, settings) = (begin.0, Arc::clone(&self.shared.settings));
        self.lanes.open(&settings.topics.events, begin, state);
        self.member.resume(&[partition]).map_err(|e| self.source(e))?;
        if self.feedback.is_none() {
            return Ok(());
        }
        let committed = self.heard(&[partition])?;
        for (partition, heard) in &committed {
            if let Some(lane) = self.lanes.get_mut(*partition) {
                lane.heard_up_to(*heard);
            }
        }
        self.listen_from(&committed)
    }

    /// Up to where the feedback of partitions was heard, as the group knows it; nothing when told to stop.
    fn heard(&self, partitions: &[Partition]) -> Result<Vec<(Partition, Option<Offset>)>, RunError> {
        if self.feedback.is_none() || partitions.is_empty() {
            return Ok(Vec::new());
        }
        loop {
            match self.member.committed_of(&self.shared.settings.topics.feedback, partitions) {
                Ok(committed) => return Ok(committed),
                Err(SourceError::Away(_)) if self.shared.hooks.stop.is_told() => return Ok(Vec::new()),
                Err(SourceError::Away(_)) => self.shared.hooks.stop.wait(BACKOFF),
                Err(error) => return Err(self.source(error)),
            }
        }
    }

    /// Reads the feedback of partitions of ours from there.
    pub(super) fn listen_from(&self, positions: &[(Partition, Option<Offset>)]) -> Result<(), RunError> {
        let Some(feedback) = &self.feedback else { return Ok(()) };
        let mut begun = positions.iter().map(|(partition, offset)| feedback.begin(*partition, *offset));
        begun.try_for_each(|begun| begun.map_err(|error| self.source(error)))
    }

    /// State that needs no restore: another worker of ours left it, or there is no changelog at all.
    fn state_at_hand(&self, (partition, begin): (Partition, Resolution), heard: Option<Offset>) -> Option<Kept> {
        let Shared { settings, rules, handover, hooks, .. } = &self.shared;
        handover.take(partition, (begin.offset(), heard)).or_else(|| {
            let origin = Origin::Topic { topic: settings.topics.events.as_str().into(), partition };
            let empty = || Kept { engine: Engine::new(Arc::clone(rules), origin), named: true };
            (hooks.mode == Mode::Plain).then(empty)
        })
    }

    fn begin_restore(&mut self, (partition, begin): (Partition, Resolution)) -> Result<(), RunError> {
        let Shared { settings, rules, hooks, .. } = &self.shared;
        loop {
            match self.restoring.begin(rules, &settings.topics.events, (partition, begin)) {
                Ok(()) => break,
                Err(SourceError::Away(_)) if hooks.stop.is_told() => return Ok(()),
                Err(SourceError::Away(_)) => hooks.stop.wait(BACKOFF),
                Err(error) => return Err(self.source(error)),
            }
        }
        match begin {
            Resolution::Committed(offset) if self.restoring.finds_nothing(partition) && !hooks.fresh_state => {
                Err(restore::state_is_gone(settings, partition, offset))
            }
            _ => Ok(()),
        }
    }

    /// Reads state for a moment, and lets partitions go on that have theirs.
    pub(super) fn restore(&mut self) -> Result<(), RunError> {
        if self.restoring.is_empty() {
            return Ok(());
        }
        for Done { partition, begin, engine, named, took } in self.restoring.look()? {
            self.open_lane((partition, begin), Kept { engine, named })?;
            self.shared.hooks.metrics.restored_after(took.as_secs_f64());
        }
        self.observe(Instant::now());
        self.settle();
        Ok(())
    }

    /// Ready is who has partitions and their state.
    fn settle(&mut self) {
        let readiness = &self.shared.hooks.readiness;
        match self.restoring.is_empty() {
            true => readiness.worker_has(self.number, self.lanes.iter().count()),
            false => readiness.worker_lost(self.number),
        }
    }

    pub(super) fn give_back(&mut self, partitions: &[Partition], lost: bool) -> Result<(), RunError> {
        self.lanes.close(partitions, &self.shared.handover);
        let paused: Vec<_> = self.restoring.partitions().filter(|partition| partitions.contains(partition)).collect();
        self.restoring.drop(&paused).map_err(|e| self.source(e))?;
        self.member.resume(&paused).map_err(|e| self.source(e))?;
        if let Some(feedback) = &self.feedback {
            let mut ended = partitions.iter().map(|partition| feedback.end(*partition));
            ended.try_for_each(|ended| ended.map_err(|error| self.source(error)))?;
        }
        self.reposition.retain(|(partition, _)| !partitions.contains(partition));
        self.member.unassign(partitions).map_err(|e| self.source(e))?;
        Revoked { worker: self.number, partitions, lost, topic: &self.shared.settings.topics.events }
            .tell(&self.shared.hooks.metrics);
        match lost {
            true => self.shared.hooks.readiness.worker_lost(self.number),
            false => self.settle(),
        }
        Ok(())
    }
}
