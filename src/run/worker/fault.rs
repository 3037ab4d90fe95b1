//! What a worker does about what its consumer says of a partition: a denied right ends it, and records that are gone are
//! jumped over, told and counted.

use super::*;
use crate::codec::ops::Notice;
use crate::core::time::Timestamp;

impl Worker {
    /// What the consumer has to say about a partition.
    pub(super) fn fault(&mut self, partition: Partition, code: RDKafkaErrorCode) -> Result<(), RunError> {
        let Some(lane) = self.lanes.get_mut(partition) else {
            return Ok(());
        };
        if let Some(denied) = self.member.denied(code) {
            return Err(self.source(denied));
        }
        let topic = &self.shared.settings.topics.events;
        if code != RDKafkaErrorCode::AutoOffsetReset {
            let text = format!("{topic}/{partition}: {code}");
            self.shared.log.fault(code as i32, &text);
            return Ok(());
        }
        let wanted = lane.next();
        loop {
            match self.member.ends(partition) {
                Ok((earliest, _)) => {
                    // A fault that lay in the queue behind another one of the same gap has none of its own.
                    if earliest != wanted {
                        let time = Timestamp::from_millis(now_ms());
                        let notice = Notice::offsets_lost(topic, partition, (wanted, earliest), time);
                        OffsetsLost { topic, partition, wanted, earliest, lost: notice.count }.tell();
                        // In one transaction with the jump: an aborted round has neither, and both come again.
                        self.round.offsets_lost(encode::notice(&notice, &self.shared.settings.group), notice.count);
                        lane.resume_at(earliest);
                    }
                    // Fetching has ended for this partition, so it has to be assigned anew.
                    return self.restart(&[(partition, earliest)]);
                }
                Err(SourceError::Away(_)) if self.shared.hooks.stop.is_told() => return Ok(()),
                Err(SourceError::Away(_)) => {}
                Err(error) => return Err(self.source(error)),
            }
        }
    }
}
