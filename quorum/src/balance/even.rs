//! Bytes on disk, and bytes a second written, from brokers that have too many of them.
//!
//! Too many is above the mean by more than a fifth, and by more than a floor below which nobody notices. A step moves one
//! replica to a broker with fewer replicas, or exchanges two, so that the numbers of replicas stay as even as they are. It is
//! made only if it is worth it: if at least half of what goes comes off what is too many, or a twentieth of the mean. So small
//! changes of what is measured lead to no move, and no large partition goes for a small gain.

use super::board::{Board, Candidate};
use super::load::{Load, Weight};

/// Above the mean by the mean divided by this is too many.
const TOLERANCE: u64 = 5;
/// A step is worth it that takes off the mean divided by this,
const GREAT_GAIN: u64 = 20;
/// or what it moves divided by this,
const FAIR_SHARE: u64 = 2;
/// but never one that takes off less than the mean divided by this.
const MIN_GAIN: u64 = 10_000;
/// Partners that are looked at for one exchange: those that fit best by their weight.
const MAX_PARTNERS: usize = 16;

/// What brokers shall have equal shares of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    Disk,
    BytesIn,
    BytesOut,
}

impl Resource {
    pub(super) fn of(self, load: &Load) -> u64 {
        match self {
            Self::Disk => load.bytes,
            Self::BytesIn => load.bytes_in,
            Self::BytesOut => load.bytes_out,
        }
    }

    /// What one replica has of it (of what is sent: as the preferred leader of so many).
    fn weigh(self, weight: &Weight, replicas: usize) -> u64 {
        match self {
            Self::Disk => weight.bytes,
            Self::BytesIn => weight.bytes_in,
            Self::BytesOut => weight.sent(replicas),
        }
    }

    /// Differences up to this are not worth a move: bytes, or bytes a second.
    fn floor(self) -> u64 {
        match self {
            Self::Disk => 1024 * 1024 * 1024,
            Self::BytesIn | Self::BytesOut => 1024 * 1024,
        }
    }
}

/// The most that a broker should have.
fn limit(board: &Board, resource: Resource) -> u64 {
    let mean = board.loads.mean(|load| resource.of(load));
    mean.saturating_add((mean / TOLERANCE).max(resource.floor()))
}

/// Two brokers, and how far they are from the limit.
#[derive(Debug, Clone, Copy)]
struct Pair {
    from: i128,
    to: i128,
    limit: i128,
}

impl Pair {
    fn of(board: &Board, resource: Resource, (from, to): (i32, i32)) -> Self {
        let has =
            |id: i32| i128::from(board.loads.brokers.get(&id).map_or(0, |load| resource.of(load)));
        Self { from: has(from), to: has(to), limit: limit(board, resource).into() }
    }

    /// What the two would have less above the limit if `amount` went from one to the other.
    fn gain(&self, amount: i128) -> i128 {
        let excess = |has: i128| (has - self.limit).max(0);
        excess(self.from) + excess(self.to) - excess(self.from - amount) - excess(self.to + amount)
    }
}

/// What a step does: a replica (or the preference for one) goes one way, and another one may come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exchange {
    pub(super) gives: usize,
    pub(super) takes: Option<usize>,
}

/// Makes steps until none is worth it; gives how many. What is above the limits of `first` does not grow.
pub(super) fn even_out(board: &mut Board, resource: Resource, first: Option<Resource>) -> usize {
    let mut steps = 0;
    let step = |board: &Board, from: i32, to: i32| {
        let alone = replicas(board, from) > replicas(board, to);
        let gives = movable(board, from, to);
        let takes = movable(board, to, from);
        let kept = first.map(|first| (first, Pair::of(board, first, (from, to))));
        let spares = |gives: &Candidate, takes: Option<&Candidate>| {
            kept.is_none_or(|(first, pair)| {
                let amount = |c: &Candidate| first.weigh(&c.weight, c.replicas.len());
                pair.gain(i128::from(amount(gives)) - i128::from(takes.map_or(0, amount))) >= 0
            })
        };
        best(board, resource, (from, to), (&gives, &takes), alone, spares)
    };
    while board.may_exchange()
        && let Some((exchange, from, to)) = find(board, resource, step)
    {
        board.exchanges -= 1;
        board.replace(exchange.gives, from, to);
        if let Some(back) = exchange.takes {
            board.replace(back, to, from);
        }
        steps += 1;
    }
    steps
}

fn replicas(board: &Board, id: i32) -> usize {
    board.loads.brokers.get(&id).map_or(0, |load| load.replicas)
}

fn movable(board: &Board, from: i32, to: i32) -> Vec<usize> {
    let may = |(_, candidate): &(usize, &Candidate)| {
        board.may_go(candidate, from, to) && board.fits(candidate, to)
    };
    board.candidates.iter().enumerate().filter(may).map(|(index, _)| index).collect()
}

/// The first step that is worth it: from the fullest broker that is above the limit, to the emptiest.
pub(super) fn find(
    board: &Board,
    resource: Resource,
    best: impl Fn(&Board, i32, i32) -> Option<Exchange>,
) -> Option<(Exchange, i32, i32)> {
    let limit = limit(board, resource);
    let mut brokers: Vec<(u64, i32)> =
        board.loads.brokers.iter().map(|(id, load)| (resource.of(load), *id)).collect();
    brokers.sort_unstable();
    for (_, from) in brokers.iter().rev().take_while(|(has, _)| *has > limit) {
        for (_, to) in brokers.iter().take_while(|(has, _)| *has < limit) {
            if let Some(exchange) = best(board, *from, *to) {
                return Some((exchange, *from, *to));
            }
        }
    }
    None
}

/// The exchange that gains most and then copies least; `alone`: whether one may go with none coming back.
pub(super) fn best(
    board: &Board,
    resource: Resource,
    (from, to): (i32, i32),
    (gives, takes): (&[usize], &[usize]),
    alone: bool,
    allowed: impl Fn(&Candidate, Option<&Candidate>) -> bool,
) -> Option<Exchange> {
    let weigh = |index: usize| {
        board.candidates.get(index).map_or(0, |c| resource.weigh(&c.weight, c.replicas.len()))
    };
    let pair = Pair::of(board, resource, (from, to));
    let room = u64::try_from(pair.limit - pair.to).unwrap_or(0);
    let mean = board.loads.mean(|load| resource.of(load));
    let least_gain = |given: u64| {
        let fair = given.div_ceil(FAIR_SHARE).min(mean / GREAT_GAIN);
        i128::from(fair.max(mean / MIN_GAIN).max(1))
    };
    let mut partners: Vec<(u64, usize)> =
        takes.iter().map(|index| (weigh(*index), *index)).collect();
    partners.sort_unstable();
    let mut found: Option<((i128, i128), Exchange)> = None;
    for give in gives.iter().copied() {
        let Some(given) = board.candidates.get(give) else { continue };
        let mut consider = |takes: Option<usize>| {
            let taken = takes.and_then(|index| board.candidates.get(index));
            let net = i128::from(weigh(give)) - i128::from(takes.map_or(0, weigh));
            let gained = pair.gain(net);
            let copied =
                i128::from(given.weight.bytes) + taken.map_or(0, |c| i128::from(c.weight.bytes));
            let rank = (gained, -copied);
            if gained >= least_gain(weigh(give))
                && found.is_none_or(|(best, _)| rank > best)
                && board.affords([give].into_iter().chain(takes))
                && allowed(given, taken)
            {
                found = Some((rank, Exchange { gives: give, takes }));
            }
        };
        if alone {
            consider(None);
        }
        // The lightest that still keeps `to` at its limit, and those that come after it.
        let wanted = weigh(give).saturating_sub(room);
        let at = partners.partition_point(|(weight, _)| *weight < wanted);
        for (_, take) in partners.iter().skip(at).take(MAX_PARTNERS) {
            consider(Some(*take));
        }
    }
    found.map(|(_, exchange)| exchange)
}

/// What all brokers together have above the limit.
#[cfg(test)]
pub(super) fn above_limits(board: &Board, resource: Resource) -> u128 {
    let limit = limit(board, resource);
    let above = board.loads.brokers.values().map(|load| resource.of(load).saturating_sub(limit));
    above.map(u128::from).sum()
}
