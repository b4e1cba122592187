//! How far a task has come, for those who wait until everything is through.

use parking_lot::Mutex;

/// The progress of one source task.
#[derive(Debug, Default)]
pub struct Progress(Mutex<Counts>);

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Records that the task delivered.
    delivered: u64,
    /// Records whose offsets are committed; each was acknowledged or given up before.
    committed: u64,
    at_end: bool,
}

impl Progress {
    /// Called after a poll whose records were all handed on.
    pub fn polled(&self, records: usize, at_end: bool) {
        let mut counts = self.0.lock();
        counts.delivered += records as u64;
        counts.at_end = at_end;
    }

    /// Called before a poll's records are handed on, so that nobody sees an end that is none.
    pub fn working(&self) {
        self.0.lock().at_end = false;
    }

    pub fn committed(&self, records: u64) {
        self.0.lock().committed += records;
    }

    /// Why the task is not done, if it is not.
    pub fn busy(&self) -> Option<String> {
        let counts = *self.0.lock();
        if !counts.at_end {
            return Some(format!("{} records read, not at the end yet", counts.delivered));
        }
        if counts.committed < counts.delivered {
            let open = counts.delivered - counts.committed;
            return Some(format!("{open} of {} records not committed yet", counts.delivered));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn done_is_the_end_with_everything_committed() {
        let progress = Progress::default();
        assert!(progress.busy().is_some(), "nothing was polled yet");
        progress.polled(3, true);
        assert!(progress.busy().is_some());
        progress.committed(2);
        assert!(progress.busy().is_some());
        progress.committed(1);
        assert_eq!(progress.busy(), None);
        progress.working();
        assert!(progress.busy().is_some());
    }
}
