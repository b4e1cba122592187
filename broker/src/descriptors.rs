//! How many files and sockets the process may have open, and how many of them are for the logs.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Part of the limit that logs may take; the rest is for clients' sockets, other brokers' and what is opened for a moment.
const LOGS_PART: u64 = 4;
/// So many log files at most, whatever the limit: each open one costs memory, opening one anew costs microseconds.
const MAX_LOG_FILES: u64 = 16_384;
/// So many at least: the partitions' that are written to just now stay open in any case.
const MIN_LOG_FILES: u64 = 32;

/// Each client has a socket; the soft limit of 1,024, which many systems set, is soon reached. Returns the limit that holds.
pub(crate) fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => return limit.maximum.unwrap_or(u64::MAX),
            Err(error) => tracing::warn!(%error, "failed to raise the limit of open files"),
        }
    }
    limit.current.unwrap_or(u64::MAX)
}

/// Log files that are kept open under a limit of so many descriptors.
pub(crate) fn log_files(limit: u64) -> usize {
    (limit / LOGS_PART).clamp(MIN_LOG_FILES, MAX_LOG_FILES) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_leave_most_descriptors_to_others() {
        assert_eq!(log_files(20_000), 5_000);
        assert_eq!(log_files(u64::MAX), MAX_LOG_FILES as usize);
        assert_eq!(log_files(0), MIN_LOG_FILES as usize);
    }
}
