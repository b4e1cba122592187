//! [`Network`]: which messages arrive, and when.

use std::collections::BTreeMap;

use quorum::raft::NoAnswer;

/// What happens to a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// Of 1000 messages so many are lost.
    pub(crate) lost: u32,
    /// Of 1000 messages so many arrive twice.
    pub(crate) twice: u32,
    /// Of 1000 messages so many are very late.
    pub(crate) late: u32,
}

impl Weather {
    pub(crate) const CALM: Self = Self { lost: 0, twice: 0, late: 0 };

    pub(crate) fn of(random: &mut fastrand::Rng) -> Self {
        match random.u8(..3) {
            0 => Self { lost: 5, twice: 5, late: 5 },
            1 => Self { lost: 50, twice: 30, late: 20 },
            _ => Self { lost: 150, twice: 100, late: 100 },
        }
    }
}

/// Links between machines, each way by itself.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) weather: Weather,
    /// Until when nothing goes from one machine to another.
    cut: BTreeMap<(usize, usize), u64>,
}

impl Network {
    pub(crate) fn new(weather: Weather) -> Self {
        Self { weather, cut: BTreeMap::new() }
    }

    /// How long each copy of a message takes; none arrives when it is lost.
    pub(crate) fn delays(
        &self,
        now: u64,
        from: usize,
        to: usize,
        random: &mut fastrand::Rng,
    ) -> Vec<u64> {
        let draw = random.u32(..1000);
        if self.is_cut(now, from, to) || draw < self.weather.lost {
            return Vec::new();
        }
        let copies = if random.u32(..1000) < self.weather.twice { 2 } else { 1 };
        let late = self.weather.late;
        let mut delay =
            || if random.u32(..1000) < late { random.u64(50..1500) } else { random.u64(1..12) };
        (0..copies).map(|_| delay()).collect()
    }

    /// What a transport may tell its caller about a request to a machine with a process or without: nothing, silence, or
    /// a refused connection. Now and then it is refused although the process lives (a full backlog, a wrong address).
    pub(crate) fn gives_up(random: &mut fastrand::Rng, alive: bool) -> Option<NoAnswer> {
        let noticed = if alive { random.u32(..1000) < 2 } else { random.bool() };
        let refused = noticed && (alive || random.bool());
        noticed.then_some(if refused { NoAnswer::Refused } else { NoAnswer::Silence })
    }

    pub(crate) fn is_cut(&self, now: u64, from: usize, to: usize) -> bool {
        self.cut.get(&(from, to)).is_some_and(|until| now < *until)
    }

    /// Cuts one way.
    pub(crate) fn cut(&mut self, from: usize, to: usize, until: u64) {
        self.cut.insert((from, to), until);
    }

    /// Cuts both ways.
    pub(crate) fn cut_both(&mut self, one: usize, other: usize, until: u64) {
        self.cut(one, other, until);
        self.cut(other, one, until);
    }

    /// Cuts both ways between two groups.
    pub(crate) fn split(&mut self, group: &[usize], all: usize, until: u64) {
        for a in 0..all {
            for b in 0..all {
                if group.contains(&a) != group.contains(&b) {
                    self.cut(a, b, until);
                }
            }
        }
    }

    pub(crate) fn heal(&mut self) {
        self.cut.clear();
        self.weather = Weather::CALM;
    }
}
