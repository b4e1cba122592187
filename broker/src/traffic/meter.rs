/// After this long a byte weighs half as much in an average: long enough that a burst moves no partition, short enough that an
/// hour's change of load is seen. Kafka's own meters report 1, 5 and 15 minutes; Cruise Control plans by windows of 5 minutes.
pub(crate) const HALF_LIFE_MS: u64 = 5 * 60 * 1000;

/// An exponentially weighted average of a counter's growth, in units a second.
///
/// Time since the first sample is what it averages over: it is not biased to zero at the beginning, only less smooth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Meter {
    count: u64,
    at_ms: u64,
    /// Rates, each by its weight.
    sum: f64,
    /// The weights' sum: 0 before the second sample, towards 1 after many half-lives.
    weight: f64,
}

impl Meter {
    /// Begins with a counter that is at `count` now.
    pub(super) fn start(count: u64, now_ms: u64) -> Self {
        Self { count, at_ms: now_ms, sum: 0.0, weight: 0.0 }
    }

    /// The counter is at `count` now. Samples of the same millisecond are left to the next one; so is a clock that went back.
    pub(super) fn sample(&mut self, count: u64, now_ms: u64) {
        let Some(elapsed_ms) = now_ms.checked_sub(self.at_ms).filter(|elapsed| *elapsed > 0) else {
            return;
        };
        let grown = count.saturating_sub(self.count) as f64;
        let rate = grown * 1000.0 / elapsed_ms as f64;
        let kept = 0.5_f64.powf(elapsed_ms as f64 / HALF_LIFE_MS as f64);
        self.sum = self.sum * kept + rate * (1.0 - kept);
        self.weight = self.weight * kept + (1.0 - kept);
        (self.count, self.at_ms) = (count, now_ms);
    }

    /// Units a second, rounded; 0 before the second sample.
    pub(super) fn per_second(&self) -> u64 {
        // `as` keeps to the range of the type.
        if self.weight > 0.0 { (self.sum / self.weight).round() as u64 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sampled every `every_ms` while the counter grows by `per_second`.
    fn run(meter: &mut Meter, per_second: u64, every_ms: u64, samples: u64) {
        for _ in 0..samples {
            let grown = per_second * every_ms / 1000;
            meter.sample(meter.count + grown, meter.at_ms + every_ms);
        }
    }

    #[test]
    fn it_is_right_from_the_second_sample_on() {
        let mut meter = Meter::start(7_000, 1_000);
        assert_eq!(meter.per_second(), 0);
        run(&mut meter, 500, 5_000, 1);
        assert_eq!(meter.per_second(), 500);
        run(&mut meter, 500, 5_000, 1_000);
        assert_eq!(meter.per_second(), 500);
    }

    #[test]
    fn what_was_is_half_forgotten_after_the_half_life() {
        let mut meter = Meter::start(0, 0);
        run(&mut meter, 1_000, 5_000, 5_000);
        run(&mut meter, 0, 5_000, HALF_LIFE_MS / 5_000);
        assert_eq!(meter.per_second(), 500);
        // However it is sampled.
        let mut meter = Meter::start(0, 0);
        run(&mut meter, 1_000, 5_000, 5_000);
        run(&mut meter, 0, HALF_LIFE_MS, 1);
        assert_eq!(meter.per_second(), 500);
    }

    #[test]
    fn a_clock_that_stands_and_a_counter_that_falls_do_no_harm() {
        let mut meter = Meter::start(100, 10_000);
        meter.sample(5_100, 10_000);
        meter.sample(5_100, 9_000);
        assert_eq!(meter.per_second(), 0);
        meter.sample(5_100, 15_000);
        assert_eq!(meter.per_second(), 1_000, "what was not sampled is not lost");
        meter.sample(0, 20_000);
        assert!(meter.per_second() < 1_000);
    }

    proptest! {
        #[test]
        fn it_stays_between_the_lowest_and_the_highest_rate(
            samples in proptest::collection::vec((1_u64..60_000, 0_u64..1_000_000_000), 1..50)
        ) {
            let mut meter = Meter::start(0, 0);
            let (mut low, mut high) = (f64::MAX, 0.0_f64);
            for (elapsed_ms, grown) in samples {
                meter.sample(meter.count + grown, meter.at_ms + elapsed_ms);
                let rate = grown as f64 * 1000.0 / elapsed_ms as f64;
                (low, high) = (low.min(rate), high.max(rate));
            }
            let measured = meter.per_second() as f64;
            prop_assert!(measured >= low - 1.0 && measured <= high + 1.0, "{low} {measured} {high}");
        }
    }
}
