//! Whether a log directory takes writes: a state machine without a clock.

use crate::{DiskError, DiskFailure};

/// Pause before a disk that was full is asked again, doubled each time that it fills up again soon.
const FIRST_PAUSE_MS: u64 = 500;
/// Longest of those pauses.
const MAX_PAUSE_MS: u64 = 30_000;
/// A disk that is full again so soon after it had room has no room to speak of.
const SOON_MS: u64 = 60_000;

/// What a log directory does with writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Writes {
    /// It takes them.
    #[default]
    Open,
    /// There is no room: it takes none until a probe has found that there is.
    Full,
    /// The device cannot be trusted any more: it takes none in this life of the process.
    Failed,
}

/// Follows what writes and probes bring. A disk that refuses one partition refuses the others next: all stop at once, so that
/// other replicas take over, and what room is left stays for the metadata.
#[derive(Debug, Default)]
pub struct WriteGate {
    writes: Writes,
    /// When the next probe is due; `None` until the first look after it filled up.
    probe_at_ms: Option<u64>,
    pause_ms: u64,
    /// When a probe last found room.
    opened_ms: Option<u64>,
}

impl WriteGate {
    /// What holds now.
    pub fn writes(&self) -> Writes {
        self.writes
    }

    /// A write, or a sync, was refused. Returns whether that changes what holds.
    pub fn refused(&mut self, error: &DiskError) -> bool {
        let next = if error.failure == DiskFailure::Descriptors && error.is_transient() {
            // What has its files open goes on, and the disk has room: this says nothing of other partitions.
            return false;
        } else if error.is_transient() {
            Writes::Full
        } else if error.failure == DiskFailure::NotFound {
            // The folder of a deleted topic may vanish under a write; that is no failure of the disk.
            return false;
        } else {
            Writes::Failed
        };
        let changes = match (self.writes, next) {
            (Writes::Open, _) | (Writes::Full, Writes::Failed) => true,
            (Writes::Full | Writes::Failed, _) => false,
        };
        if changes {
            self.writes = next;
            self.probe_at_ms = None;
        }
        changes
    }

    /// Whether it is time to probe for room. `now_ms` is by any clock that never goes back. Call now and then.
    pub fn probe_is_due(&mut self, now_ms: u64) -> bool {
        if self.writes != Writes::Full {
            return false;
        }
        if let Some(at) = self.probe_at_ms {
            return at <= now_ms;
        }
        let soon = self.opened_ms.is_some_and(|opened| now_ms.saturating_sub(opened) < SOON_MS);
        self.pause_ms =
            if soon { self.pause_ms.saturating_mul(2).min(MAX_PAUSE_MS) } else { FIRST_PAUSE_MS };
        self.probe_at_ms = Some(now_ms.saturating_add(self.pause_ms));
        false
    }

    /// A probe has found room, or not. Returns whether writes are taken again.
    pub fn probed(&mut self, found_room: bool, now_ms: u64) -> bool {
        if self.writes != Writes::Full {
            return false;
        }
        if !found_room {
            self.probe_at_ms = Some(now_ms.saturating_add(self.pause_ms.max(FIRST_PAUSE_MS)));
            return false;
        }
        self.writes = Writes::Open;
        self.opened_ms = Some(now_ms);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};
    use std::path::Path;

    use super::*;

    fn error(op: &'static str, kind: ErrorKind) -> DiskError {
        DiskError::new(op, Path::new("x"), Error::from(kind))
    }

    fn full() -> DiskError {
        error("write", ErrorKind::StorageFull)
    }

    /// When the next probe is due, looking each millisecond.
    fn wait(gate: &mut WriteGate, from: u64) -> u64 {
        (from..from + 2 * MAX_PAUSE_MS).find(|now| gate.probe_is_due(*now)).unwrap()
    }

    #[test]
    fn a_full_disk_is_probed_until_it_has_room() {
        let mut gate = WriteGate::default();
        assert!(!gate.probe_is_due(0));
        assert!(gate.refused(&full()));
        assert!(!gate.refused(&full()), "nothing new");
        assert_eq!(gate.writes(), Writes::Full);
        let at = wait(&mut gate, 1_000);
        assert_eq!(at, 1_000 + FIRST_PAUSE_MS);
        assert!(!gate.probed(false, at));
        let again = wait(&mut gate, at);
        assert_eq!(again, at + FIRST_PAUSE_MS);
        assert!(gate.probed(true, again));
        assert_eq!(gate.writes(), Writes::Open);
    }

    #[test]
    fn who_fills_up_again_soon_waits_longer_each_time() {
        let mut gate = WriteGate::default();
        let (mut now, mut pauses) = (0, Vec::new());
        for _ in 0..10 {
            gate.refused(&full());
            let at = wait(&mut gate, now);
            pauses.push(at - now);
            gate.probed(true, at);
            now = at + 10;
        }
        assert_eq!(&pauses[..3], [500, 1_000, 2_000]);
        assert_eq!(pauses[9], MAX_PAUSE_MS);
        gate.refused(&full());
        let at = wait(&mut gate, now + SOON_MS);
        assert_eq!(at - now - SOON_MS, FIRST_PAUSE_MS, "it was well for a while");
    }

    #[test]
    fn a_failed_device_is_not_probed_and_does_not_come_back() {
        let mut gate = WriteGate::default();
        gate.refused(&full());
        assert!(gate.refused(&error("sync", ErrorKind::StorageFull)), "a failed sync is final");
        assert_eq!(gate.writes(), Writes::Failed);
        assert!(!gate.refused(&full()) && !gate.probe_is_due(9_999_999));
        assert!(!gate.probed(true, 9_999_999));
        let mut gate = WriteGate::default();
        assert!(!gate.refused(&error("open", ErrorKind::NotFound)));
        let none_left = Error::from(rustix::io::Errno::MFILE);
        assert!(!gate.refused(&DiskError::new("open", Path::new("x"), none_left)));
        assert_eq!(gate.writes(), Writes::Open, "a want of descriptors is not one of room");
        assert!(gate.refused(&error("write", ErrorKind::ReadOnlyFilesystem)));
        assert_eq!(gate.writes(), Writes::Failed);
    }
}
