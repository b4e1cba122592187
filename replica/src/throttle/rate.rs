/// No limit: Kafka's default for its rates.
pub const UNLIMITED: u64 = i64::MAX as u64;
/// What is not used in this time is gone.
const BURST_MS: u64 = 1_000;
/// Longest wait before a rate that lets nothing through is looked at again.
const MAX_WAIT_MS: u64 = 1_000;

/// Lets bytes through at a rate: a bucket that fills by the clock. What is taken is whole batches, so it may be more than there
/// is; the debt is paid before anything goes again. Over any time the rate is kept but for a second's worth and one batch.
#[derive(Debug)]
pub struct ByteRate {
    bytes_per_second: u64,
    /// In thousandths of a byte, so that no millisecond is lost to rounding. Negative: a debt.
    level: i128,
    at_ms: u64,
}

/// What may go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// So many bytes, and one batch in any case.
    Bytes(u64),
    /// Nothing; ask again after so many ms (1 or more).
    After(u64),
}

impl Allowance {
    /// What may go under both: the strictest counts.
    #[must_use]
    pub fn and(self, other: Allowance) -> Allowance {
        match (self, other) {
            (Allowance::Bytes(one), Allowance::Bytes(other)) => Allowance::Bytes(one.min(other)),
            (Allowance::After(one), Allowance::After(other)) => Allowance::After(one.max(other)),
            (wait @ Allowance::After(_), _) | (_, wait @ Allowance::After(_)) => wait,
        }
    }
}

impl ByteRate {
    /// A rate, from 0 to [`UNLIMITED`]; nothing has been saved up yet.
    pub fn new(bytes_per_second: u64, now_ms: u64) -> Self {
        Self { bytes_per_second, level: 0, at_ms: now_ms }
    }

    /// Another rate from now on.
    pub fn set_rate(&mut self, bytes_per_second: u64, now_ms: u64) {
        self.fill(now_ms);
        self.bytes_per_second = bytes_per_second;
        // A debt that was small under the old rate must not last for ever under the new one, nor a large level be a burst.
        let second = i128::from(bytes_per_second) * 1_000;
        self.level = self.level.clamp(-second * 10, second);
    }

    /// What may go now, by any clock that never goes back.
    pub fn allowance(&mut self, now_ms: u64) -> Allowance {
        self.fill(now_ms);
        if self.bytes_per_second >= UNLIMITED {
            return Allowance::Bytes(u64::MAX);
        }
        match u64::try_from(self.level / 1_000) {
            Ok(bytes @ 1..) => Allowance::Bytes(bytes),
            _ => {
                let missing = 1_000 - self.level;
                let rate = i128::from(self.bytes_per_second).max(1);
                let wait_ms = u64::try_from((missing + rate - 1) / rate).unwrap_or(MAX_WAIT_MS);
                Allowance::After(wait_ms.clamp(1, MAX_WAIT_MS))
            }
        }
    }

    /// So many bytes have gone.
    pub fn took(&mut self, bytes: u64, now_ms: u64) {
        self.fill(now_ms);
        if self.bytes_per_second < UNLIMITED {
            self.level -= i128::from(bytes) * 1_000;
        }
    }

    fn fill(&mut self, now_ms: u64) {
        let rate = i128::from(self.bytes_per_second);
        let passed = i128::from(now_ms.saturating_sub(self.at_ms));
        self.at_ms = self.at_ms.max(now_ms);
        // Bytes a second are thousandths of a byte a millisecond.
        self.level = (self.level + rate * passed).min(rate * i128::from(BURST_MS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes batches of `batch` bytes whenever they may go, looking as often as it is told to; gives the bytes.
    fn run(rate: &mut ByteRate, batch: u64, from_ms: u64, to_ms: u64) -> u64 {
        let (mut now, mut taken) = (from_ms, 0);
        while now < to_ms {
            match rate.allowance(now) {
                Allowance::Bytes(_) => {
                    rate.took(batch, now);
                    taken += batch;
                }
                Allowance::After(wait) => now += wait,
            }
        }
        taken
    }

    #[test]
    fn the_rate_is_kept_whatever_the_size_of_batches() {
        for batch in [1, 700, 100_000, 3_000_000] {
            let mut rate = ByteRate::new(100_000, 0);
            let taken = run(&mut rate, batch, 0, 100_000);
            assert!(taken <= 100_000 * 101 + batch, "{taken} by {batch}");
            assert!(taken + 200_000 >= 100_000 * 100, "{taken} by {batch}: less than there was");
        }
    }

    #[test]
    fn what_was_not_used_is_gone_after_a_second() {
        let mut rate = ByteRate::new(1_000, 0);
        assert_eq!(rate.allowance(3_600_000), Allowance::Bytes(1_000));
        rate.took(1_500, 3_600_000);
        assert_eq!(rate.allowance(3_600_000), Allowance::After(501));
        assert_eq!(rate.allowance(3_600_501), Allowance::Bytes(1));
        // A clock that goes back is taken for one that stands still.
        assert_eq!(rate.allowance(0), Allowance::Bytes(1));
    }

    #[test]
    fn a_rate_of_nothing_lets_nothing_through_until_it_changes() {
        let mut rate = ByteRate::new(0, 0);
        assert_eq!(rate.allowance(1_000_000), Allowance::After(MAX_WAIT_MS));
        rate.set_rate(2_000, 1_000_000);
        assert_eq!(rate.allowance(1_000_500), Allowance::Bytes(1_000));
        rate.took(u64::MAX / 2, 1_000_500);
        rate.set_rate(UNLIMITED, 1_000_500);
        assert_eq!(rate.allowance(1_000_500), Allowance::Bytes(u64::MAX));
    }

    #[test]
    fn a_debt_does_not_outlive_a_change_of_the_rate() {
        let mut rate = ByteRate::new(1, 0);
        rate.took(10_000_000, 0);
        rate.set_rate(1_000, 0);
        assert!(matches!(rate.allowance(10_001), Allowance::Bytes(_)));
    }
}
