//! [`MachineClock`]: a machine's own idea of time.

/// A clock that runs a little fast or slow, and can be set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MachineClock {
    offset_ms: i64,
    /// How much faster it runs, in thousandths.
    drift: i64,
}

impl MachineClock {
    pub(crate) fn new(random: &mut fastrand::Rng) -> Self {
        Self { offset_ms: random.i64(0..10_000), drift: random.i64(-50..=50) }
    }

    /// Milliseconds at a moment of the world's time.
    pub(crate) fn at(&self, now: u64) -> u64 {
        let now = now as i64;
        (now + now * self.drift / 1000 + self.offset_ms).max(0) as u64
    }

    /// The clock is set.
    pub(crate) fn jump(&mut self, ms: i64) {
        self.offset_ms += ms;
    }
}
