//! How long the quorum waits for what.

/// Kafka's `controller.quorum.*` times, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// `controller.quorum.election.timeout.ms`: a voter without a leader waits between this and twice this before it
    /// asks for (pre-)votes.
    pub election_timeout_ms: u64,
    /// `controller.quorum.election.backoff.max.ms`: the most that a candidate that lost waits on top.
    pub election_backoff_max_ms: u64,
    /// `controller.quorum.fetch.timeout.ms`: a follower that could not fetch for so long looks for another leader, a
    /// leader from which no majority fetched for one and a half times as long resigns (check-quorum).
    pub fetch_timeout_ms: u64,
    /// `controller.quorum.request.timeout.ms`: a request without an answer for so long is given up.
    pub request_timeout_ms: u64,
    /// `controller.quorum.retry.backoff.ms`: between a failed request and the next.
    pub retry_backoff_ms: u64,
    /// How long a leader may hold a fetch that has nothing to fetch; must be well below `fetch_timeout_ms`.
    pub fetch_max_wait_ms: u64,
}

impl Default for Timing {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            election_timeout_ms: 1000,
            election_backoff_max_ms: 1000,
            fetch_timeout_ms: 2000,
            request_timeout_ms: 2000,
            retry_backoff_ms: 20,
            fetch_max_wait_ms: 500,
        }
    }
}
