//! Bugs made on purpose, to see that the simulation finds them.

/// A known way to be wrong. Only there with the feature `planted`, and only when a test asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// A leader takes for committed what it alone holds.
    CommitAlone,
    /// A follower of a new leader cuts its log at its high watermark, as Kafka did before KIP-101.
    TruncateToHighWatermark,
    /// Leader epochs of senders are not looked at, nor those of answers.
    EpochsIgnored,
    /// What is known of the followers is forgotten with every assignment, and a follower joins only after it was known for a while.
    ProgressWiped,
    /// What is known of the followers goes on although another may have led in between.
    ProgressKept,
    /// Whoever an undecided proposal would add does not hold the high watermark back.
    MaximalIsrIgnored,
    /// Whoever an undecided proposal would remove does not hold the high watermark back any more.
    ShrinkTakenForDecided,
    /// A follower fetches on from what is not on its disk.
    FetchBeforeFlush,
    /// A follower counts under whatever registration it fetches, and joins under any (KIP-903).
    BrokerEpochIgnored,
    /// A follower may join that has not all that is committed.
    JoinBeforeCaughtUp,
    /// A leader does not look whether a follower's log is like its own.
    DivergenceIgnored,
    /// A read that begins inside a closed segment is answered from the next one.
    ReadSkipsSegment,
    /// A new leader tells at once how far it knows records to be committed (KIP-207).
    EndBeforeKnown,
}

impl Planted {
    /// All of them.
    pub const ALL: [Planted; 13] = [
        Planted::CommitAlone,
        Planted::TruncateToHighWatermark,
        Planted::EpochsIgnored,
        Planted::ProgressWiped,
        Planted::ProgressKept,
        Planted::MaximalIsrIgnored,
        Planted::ShrinkTakenForDecided,
        Planted::FetchBeforeFlush,
        Planted::BrokerEpochIgnored,
        Planted::JoinBeforeCaughtUp,
        Planted::DivergenceIgnored,
        Planted::ReadSkipsSegment,
        Planted::EndBeforeKnown,
    ];
}

impl crate::Replica {
    /// Makes a known mistake from here on.
    pub fn plant(&mut self, planted: Option<Planted>) {
        self.planted = planted;
    }

    pub(crate) fn has(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }

    /// [`Planted::TruncateToHighWatermark`].
    pub(crate) fn cut_at_high_watermark(&mut self) {
        if self.log.end_offset() > self.high_watermark.offset {
            self.log.prepare_truncation(self.high_watermark.offset);
            // A disk that refuses is found elsewhere.
            let _ = self.log.truncate_to(self.high_watermark.offset, 0);
            if self.durable.offset > self.log.end_offset() {
                self.durable = self.log.end();
            }
        }
    }

    /// [`Planted::ReadSkipsSegment`]: where the wrong read begins.
    pub(crate) fn skipped(&self, offset: i64) -> i64 {
        let end = self.log.end().offset;
        let segment = |at| self.log.position_of(at).ok().map(|position| position.segment_base);
        let own = segment(offset);
        if own.is_none() || own == Some(offset) || segment(end) == own {
            return offset;
        }
        (offset..end).find(|at| segment(*at) != own).unwrap_or(offset)
    }
}
