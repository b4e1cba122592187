//! How much has still to move, and how long that takes: at the pace so far, but not faster than the bandwidth allows.

use crds::Scaling;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use crate::safety::MovesAnswer;

/// Most topics that the status lists.
const MAX_TOPICS: usize = 20;

/// Takes the numbers of an answer into what is written down.
pub(super) fn note(scaling: &Scaling, moves: &MovesAnswer, now: Timestamp) -> Scaling {
    let left = i64::try_from(moves.bytes_left).unwrap_or(i64::MAX);
    let mut topics: Vec<String> = moves.blocked.iter().filter_map(|b| b.topic.clone()).collect();
    topics.sort_unstable();
    topics.dedup();
    topics.truncate(MAX_TOPICS);
    Scaling {
        bytes_left: Some(left),
        bytes_total: Some(scaling.bytes_total.unwrap_or(0).max(left)),
        start_time: Some(scaling.start_time.clone().unwrap_or(Time(now))),
        blocked_topics: topics,
        ..scaling.clone()
    }
}

/// What moves may take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Allowed {
    /// Bytes a second of each broker; nothing without a limit.
    pub(super) bandwidth: Option<u64>,
    /// Brokers that take what moves.
    pub(super) receivers: usize,
}

/// In words: `12.0 MiB left, about 40 s`.
pub(super) fn words(scaling: &Scaling, allowed: Allowed, now: Timestamp) -> String {
    let left = scaling.bytes_left.unwrap_or(0);
    match seconds(scaling, now).max(allowed.seconds(left)) {
        Some(seconds) => format!("{} left, about {}", bytes(left), duration(seconds)),
        None => format!("{} left", bytes(left)),
    }
}

impl Allowed {
    /// Seconds that so many bytes take at least.
    fn seconds(self, left: i64) -> Option<i64> {
        let rate = i128::from(self.bandwidth?).checked_mul(self.receivers.max(1) as i128)?;
        i64::try_from(i128::from(left) / rate.max(1)).ok().filter(|seconds| *seconds > 0)
    }
}

/// Seconds at the pace so far; nothing while there is no pace.
fn seconds(scaling: &Scaling, now: Timestamp) -> Option<i64> {
    let left = scaling.bytes_left?;
    let moved = scaling.bytes_total?.checked_sub(left).filter(|moved| *moved > 0)?;
    let elapsed = now.duration_since(scaling.start_time.as_ref()?.0).as_secs().max(1);
    let seconds = i128::from(left) * i128::from(elapsed) / i128::from(moved);
    i64::try_from(seconds).ok()
}

/// A number of bytes in words: `12.0 MiB`.
pub(crate) fn bytes(count: i64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} bytes");
    }
    let (mut tenths, mut unit) = (i128::from(count) * 10 / 1024, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

fn duration(seconds: i64) -> String {
    match seconds {
        ..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREELY: Allowed = Allowed { bandwidth: None, receivers: 1 };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn moves(bytes_left: u64) -> MovesAnswer {
        MovesAnswer { planned: 0, moving: 1, left: 1, bytes_left, blocked: Vec::new() }
    }

    #[test]
    fn an_estimate_needs_a_pace() {
        let first = note(&Scaling::default(), &moves(10 << 20), at(100));
        assert_eq!(words(&first, FREELY, at(100)), "10.0 MiB left");
        let second = note(&first, &moves(5 << 20), at(110));
        assert_eq!(words(&second, FREELY, at(110)), "5.0 MiB left, about 10 s");
        let grown = note(&second, &moves(20 << 20), at(120));
        assert_eq!(words(&grown, FREELY, at(120)), "20.0 MiB left");
    }

    #[test]
    fn an_estimate_is_no_faster_than_the_bandwidth() {
        let allowed = Allowed { bandwidth: Some(1 << 20), receivers: 2 };
        let first = note(&Scaling::default(), &moves(100 << 20), at(100));
        assert_eq!(words(&first, allowed, at(100)), "100.0 MiB left, about 50 s");
        // The pace so far is slower, as it is when partitions are moved one after another.
        let second = note(&first, &moves(90 << 20), at(110));
        assert_eq!(words(&second, allowed, at(110)), "90.0 MiB left, about 90 s");
        // It was faster before the limit.
        let third = note(&first, &moves(10 << 20), at(110));
        assert_eq!(
            words(&third, Allowed { receivers: 1, ..allowed }, at(110)),
            "10.0 MiB left, about 10 s"
        );
    }

    #[test]
    fn sizes_and_times_read_well() {
        assert_eq!(bytes(1023), "1023 bytes");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(3 << 40), "3.0 TiB");
        assert_eq!(
            (duration(119), duration(600), duration(7200)),
            ("119 s".into(), "10 min".into(), "2 h".into())
        );
    }
}
