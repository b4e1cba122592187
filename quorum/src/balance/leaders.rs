//! Which replica of each partition is preferred as its leader. A reassignment that only changes the order of the replicas
//! copies nothing.

use super::board::{Board, Candidate};
use super::even::{Resource, best, find};

/// Preferred leaders from brokers with most to brokers with fewer; where those are even, so that what is sent to consumers and
/// followers is. Gives the steps made.
pub(super) fn turn_leaders(board: &mut Board) -> usize {
    let mut steps = 0;
    while board.budget > 0
        && let Some((index, leader)) = by_count(board)
    {
        board.prefer(index, leader);
        steps += 1;
    }
    while board.may_exchange()
        && let Some((exchange, from, to)) = find(board, Resource::BytesOut, by_bytes)
    {
        board.exchanges -= 1;
        board.prefer(exchange.gives, to);
        if let Some(back) = exchange.takes {
            board.prefer(back, from);
        }
        steps += 1;
    }
    steps
}

/// A partition whose preferred leader has at least two more than another of its replicas.
fn by_count(board: &Board) -> Option<(usize, i32)> {
    let led = |id: &i32| board.loads.brokers.get(id).map(|load| load.preferred);
    board.candidates.iter().enumerate().find_map(|(index, candidate)| {
        let (first, others) = candidate.replicas.split_first()?;
        let now = led(first)?;
        let to = others.iter().filter(|id| led(id).is_some()).min_by_key(|id| (led(id), **id))?;
        (led(to)? + 1 < now).then_some((index, *to))
    })
}

fn by_bytes(board: &Board, from: i32, to: i32) -> Option<super::even::Exchange> {
    let led = |id: i32| board.loads.brokers.get(&id).map_or(0, |load| load.preferred);
    let of = |from: i32, to: i32| -> Vec<usize> {
        let may = |(_, c): &(usize, &Candidate)| {
            c.replicas.first() == Some(&from) && c.replicas.contains(&to)
        };
        board.candidates.iter().enumerate().filter(may).map(|(index, _)| index).collect()
    };
    let alone = led(from) > led(to);
    best(board, Resource::BytesOut, (from, to), (&of(from, to), &of(to, from)), alone, |_, _| true)
}
