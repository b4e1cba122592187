//! Throttles of replication, as `broker::throttle` applies what [`replica::throttle`] decides.

use std::sync::Arc;

use quorum::image::PartitionImage;
use replica::throttle::{Allowance, ByteRate, Limits, Marks, ThrottledReplicas, UNLIMITED};

use super::Mistake;
use super::hosted::Hosted;
use super::world::World;

/// What an administrator has set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Throttle {
    bytes_per_second: u64,
    /// For all replicas (Kafka's lists with `*`), and not only for those that a reassignment adds.
    listed: bool,
}

impl Throttle {
    pub(super) fn of(random: &mut fastrand::Rng) -> Self {
        Self { bytes_per_second: [15_000, 40_000][random.usize(..2)], listed: random.bool() }
    }

    /// How long so many bytes take.
    pub(super) fn ms_for(self, bytes: u64) -> u64 {
        bytes * 1_000 / self.bytes_per_second
    }

    /// What it means for a partition on a node.
    pub(super) fn marks(
        throttle: Option<Self>,
        node: i32,
        index: i32,
        of: &PartitionImage,
    ) -> Marks {
        let Some(throttle) = throttle else { return Marks::default() };
        let text = if throttle.listed { "*" } else { "" };
        let list = ThrottledReplicas::parse(text);
        Marks::of((node, index), (&list, &list), &Arc::clone(&of.adding_replicas))
    }
}

/// The limits of one direction of a broker.
#[derive(Debug)]
pub(super) struct Rates {
    listed: ByteRate,
    adding: ByteRate,
}

impl Rates {
    pub(super) fn new(throttle: Option<Throttle>, now_ms: u64) -> Self {
        let rate = |listed: bool| {
            let of = throttle.filter(|throttle| throttle.listed == listed);
            ByteRate::new(of.map_or(UNLIMITED, |throttle| throttle.bytes_per_second), now_ms)
        };
        Self { listed: rate(true), adding: rate(false) }
    }

    pub(super) fn allowance(&mut self, limits: Limits, now_ms: u64) -> Allowance {
        let mut least = Allowance::Bytes(u64::MAX);
        if limits.listed {
            least = least.and(self.listed.allowance(now_ms));
        }
        if limits.adding {
            least = least.and(self.adding.allowance(now_ms));
        }
        least
    }

    pub(super) fn took(&mut self, limits: Limits, bytes: usize, now_ms: u64) {
        if limits.listed {
            self.listed.took(bytes as u64, now_ms);
        }
        if limits.adding {
            self.adding.took(bytes as u64, now_ms);
        }
    }
}

impl World {
    /// What limits what a leader sends to a follower.
    pub(super) fn limits_of_sending(&self, hosted: &Hosted, follower: usize) -> Limits {
        hosted.marks.sending(follower as i32, self.isr_of(hosted))
    }

    /// What limits what a machine takes as a follower.
    pub(super) fn limits_of_taking(&self, hosted: &Hosted, machine: usize) -> Limits {
        hosted.marks.taking(machine as i32, self.isr_of(hosted))
    }

    fn isr_of<'a>(&self, hosted: &'a Hosted) -> &'a [i32] {
        let careless = self.has(Mistake::InSyncThrottled);
        if careless { &[] } else { &hosted.replica.assignment().isr }
    }

    /// A leader holds a follower back: never one that is in sync, which would keep everybody waiting, and lose its place.
    pub(super) fn holds_back(&mut self, hosted_isr: &[i32], (leader, follower): (usize, usize)) {
        self.report.held_back += 1;
        if hosted_isr.contains(&(follower as i32)) {
            let what = format!("{leader} holds {follower} back, which is in sync");
            self.checker.note(Err(what));
        }
    }
}
