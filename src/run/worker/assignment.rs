//! What a worker does when the group gives it partitions or takes them back: state first, then records.

use super::*;

/// How long an answer to the question for committed offsets may take, at first and at last: our other partitions wait
/// meanwhile, but slow brokers have to get a chance.
const SHORTEST_ASK: Duration = Duration::from_millis(250);
const LONGEST_ASK: Duration = Duration::from_secs(2);

/// The same of partitions that are ours: nobody's transaction hides them.
const PATIENT_ASK: Duration = Duration::from_secs(10);

impl Worker {
    /// Takes note of what the group gave us. It waits for our answer, and nobody else gets these partitions meanwhile.
    pub(super) fn accept(&mut self, partitions: Vec<Partition>) -> Result<(), RunError> {
        if !partitions.is_empty() {
            self.shared.hooks.readiness.worker_lost(self.number);
        }
        self.unresolved = Some(Unresolved { partitions, held: false, wait: SHORTEST_ASK });
        self.begin()
    }

    /// Asks again for offsets that were not known a moment ago: a former owner's transaction was open. That may take as
    /// long as the broker leaves a dead owner's transaction open, and our other partitions go on meanwhile.
    pub(super) fn resolve(&mut self) -> Result<(), RunError> {
        if self.asked.elapsed() < BACKOFF { Ok(()) } else { self.begin() }
    }

    /// Begins the partitions that the group gave us, if their committed offsets are known.
    fn begin(&mut self) -> Result<(), RunError> {
        let Some(Unresolved { partitions, held, wait }) = &mut self.unresolved else { return Ok(()) };
        let (start, known) = (self.shared.settings.start, self.shared.known);
        let resolved = self.member.resolve(partitions, start, known, (now_ms(), *wait));
        let heard = |partitions: &[Partition]| match &self.feedback {
            Some(_) => self.member.committed_of(&self.shared.settings.topics.feedback, partitions, *wait),
            None => Ok(Vec::new()),
        };
        let resolved = resolved.and_then(|begins| Ok((begins, heard(partitions)?)));
        self.asked = Instant::now();
        let (begins, heard) = match resolved {
            Ok(resolved) => resolved,
            // The broker log has the reason.
            Err(SourceError::Away(_)) => {
                let answer = if *held { Ok(()) } else { self.member.hold(partitions) };
                (*held, *wait) = (true, (*wait * 2).min(LONGEST_ASK));
                return answer.map_err(|error| self.source(error));
            }
            Err(error) => return Err(self.source(error)),
        };
        let (partitions, held) = (std::mem::take(partitions), *held);
        self.unresolved = None;
        let positions: Vec<_> = begins.iter().map(|(partition, begin)| (*partition, begin.offset())).collect();
        if held {
            self.restart(&positions)?;
        } else {
            self.member.assign(&positions).map_err(|e| self.source(e))?;
        }
        // Nothing is fetched before its state is there.
        self.member.pause(&partitions).map_err(|e| self.source(e))?;
        Assigned { worker: self.number, partitions: &positions }.tell();
        for begin in begins {
            let heard = heard.iter().find(|(partition, _)| *partition == begin.0).and_then(|(_, offset)| *offset);
            match self.state_at_hand(begin, heard) {
                Some(state) => self.open_lane(begin, state)?,
                None => self.begin_restore(begin)?,
            }
        }
        self.observe(Instant::now());
        self.settle()
    }

    /// Begins a partition with its state: its records are fetched, and what was said about its leads since.
    fn open_lane(&mut self, begin: (Partition, Resolution), state: Kept) -> Result<(), RunError> {
        let (partition, settings) = (begin.0, Arc::clone(&self.shared.settings));
        self.lanes.open(&settings.topics.events, begin, state);
        self.member.resume(&[partition]).map_err(|e| self.source(e))?;
        // What the consumer had to say before it was paused is lost, even that its offset is gone: it is asked for again.
        self.reposition.push((partition, begin.1.offset()));
        if self.feedback.is_none() {
            return Ok(());
        }
        let committed = self.heard(partition)?;
        for (partition, heard) in &committed {
            if let Some(lane) = self.lanes.get_mut(*partition) {
                lane.heard_up_to(*heard);
            }
        }
        self.listen_from(&committed)
    }

    /// Up to where the feedback of a partition of ours was heard, as the group knows it; nothing when told to stop.
    fn heard(&self, partition: Partition) -> Result<Vec<(Partition, Option<Offset>)>, RunError> {
        loop {
            match self.member.committed_of(&self.shared.settings.topics.feedback, &[partition], PATIENT_ASK) {
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
        let done = self.restoring.look()?;
        if done.is_empty() {
            return Ok(());
        }
        for Done { partition, begin, engine, named, took } in done {
            if self.shared.known.new_group && matches!(begin, Resolution::Fresh(_)) && engine.leads() > 0 {
                return Err(restore::group_is_gone(&self.shared.settings, partition, engine.leads()));
            }
            self.open_lane((partition, begin), Kept { engine, named })?;
            self.shared.hooks.metrics.restored_after(took.as_secs_f64());
        }
        self.observe(Instant::now());
        self.settle()
    }

    /// Ready is who has partitions and their state, and has committed where it began: what comes from now on is missed by
    /// no successor.
    fn settle(&mut self) -> Result<(), RunError> {
        if self.restoring.is_empty() && self.unresolved.is_none() {
            if self.lanes.have_moved() {
                self.commit()?;
            }
            self.shared.hooks.readiness.worker_has(self.number, self.lanes.iter().count());
        } else {
            self.shared.hooks.readiness.worker_lost(self.number);
        }
        Ok(())
    }

    pub(super) fn give_back(&mut self, partitions: &[Partition], lost: bool) -> Result<(), RunError> {
        if let Some(unresolved) = &mut self.unresolved {
            unresolved.partitions.retain(|partition| !partitions.contains(partition));
        }
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
        if lost {
            self.shared.hooks.readiness.worker_lost(self.number);
            return Ok(());
        }
        self.settle()
    }
}
