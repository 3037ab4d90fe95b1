//! Which partitions the lanes of a sink own: taken over with what the ledger says, drained, and given back.

use super::{Change, Held, Lane, Lanes, Partition, Shut, Standing, State, Takeover, Timestamp};

impl<R> Lanes<R> {
    /// The partition is ours from now on.
    pub fn assign(&mut self, takeover: Takeover<R>) {
        let partition = takeover.partition;
        self.forget(partition);
        self.books.restored(takeover.parked.len());
        self.said_shut |= takeover.said_shut;
        self.failing = self.failing.or(takeover.failing);
        if let Some(since) = takeover.disabled {
            self.shut.get_or_insert((Shut::Gone, Timestamp::from_millis(i64::MAX)));
            let (standing, failing) = (Standing::Disabled, self.failing);
            self.stands = Some(Change { standing, since, detail: String::new(), failing });
        }
        if self.shut.is_some() || self.lends() {
            self.change = Some(self.stands()); // the new partition's ledger does not know it yet
        }
        let mut own = Lane::new(takeover);
        for head in own.heads().collect::<Vec<_>>() {
            if let Some(item) = own.items.get_mut(&head) {
                item.state = State::Waiting;
                self.due.insert((item.next_at, (partition, head)));
            }
        }
        let parked: Vec<_> = own.items.keys().map(|offset| (partition, *offset)).collect();
        self.partitions.insert(partition, own);
        parked.into_iter().for_each(|place| self.may_be_lent(place));
    }

    /// Nothing of these partitions is started any more.
    pub fn revoke(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            if let Some(own) = self.partitions.get_mut(partition) {
                own.revoking = true;
            }
        }
    }

    /// Whether nothing of these partitions is under way, and all that ended is recorded.
    pub fn is_drained(&self, partitions: &[Partition]) -> bool {
        let sending = |own: &Lane<R>| own.items.values().any(|item| item.state == State::InFlight);
        let mut assigned = partitions.iter().filter_map(|p| self.partitions.get(p));
        let concerned = |partition: &Partition| partitions.contains(partition);
        let writing = self.writing.as_ref().is_some_and(|writing| {
            writing.writes.iter().any(|(ticket, _)| concerned(&ticket.partition))
                || writing.notes.iter().any(|(partition, ..)| concerned(partition))
        });
        let pending = self.pending.keys().any(|(partition, _)| concerned(partition));
        let noting = self.notes.keys().any(|(partition, _)| concerned(partition));
        !assigned.any(sending) && !writing && !pending && !noting
    }

    /// Forgets these partitions: somebody else goes on with them.
    pub fn forget_all(&mut self, partitions: &[Partition]) {
        partitions.iter().for_each(|&partition| self.forget(partition));
    }

    fn forget(&mut self, partition: Partition) {
        if let Some(own) = self.partitions.remove(&partition) {
            self.taken -= own.items.values().filter(|item| item.has_place).count();
            let parked = own.items.values().filter(|item| item.held == Held::Ledger).count();
            self.books.handed_back(own.items.len(), parked);
            if self.partitions.is_empty() {
                self.forget_failure(); // others may find it well meanwhile
            }
        }
        self.ready.retain(|place| place.0 != partition);
        self.due.retain(|(_, place)| place.0 != partition);
        self.pending.retain(|place, _| place.0 != partition);
        self.notes.retain(|place, _| place.0 != partition);
        self.lending.iter_mut().for_each(|lending| lending.forget(partition));
    }

    /// Partitions to pause (true) or to resume (false) since the last call.
    pub fn take_pauses(&mut self) -> Vec<(Partition, bool)> {
        let mut changes = Vec::new();
        let parked = self.books.counts().parked;
        let over = |number: usize, bound: usize, paused: bool| number >= bound || paused && number > bound / 2;
        for (&partition, own) in &mut self.partitions {
            let full = over(own.tracker.len(), self.policy.tracked, own.paused)
                || over(parked, self.policy.parked, own.paused);
            if full != own.paused {
                own.paused = full;
                changes.push((partition, full));
            }
        }
        changes
    }

    /// How many partitions are ours.
    pub fn owned(&self) -> usize {
        self.partitions.len()
    }

    /// Whether there is nothing here to deliver: others have all partitions.
    pub fn is_spare(&self) -> bool {
        self.partitions.is_empty()
    }
}
