//! A forecast in sentences. Pure.
//!
//! The API server may cut a warning after 256 characters
//! (<https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#response>): a sentence a
//! matter, the important first, and lists that end.

use super::change::Change;
use super::toll::Toll;
use crate::cluster::plan::{bytes, listed};
use crate::safety::ReplicasAnswer;

/// Longest sentence, in characters.
const MAX_CHARS: usize = 256;
/// Most names in one list.
const MAX_NAMES: usize = 4;

/// The operator would not act at all.
pub(super) fn stuck(why: &str) -> String {
    shorten(format!("the operator would not act on this: {why}"))
}

/// A sentence for each matter; none if nothing would happen to any broker.
pub(super) fn sentences(change: &Change, toll: &Toll, edited: &[String]) -> Vec<String> {
    let all = [added(change, toll), removed(change, toll), restarted(change, edited)];
    let all = all.into_iter().flatten().chain(blocked(toll)).chain(silent(change, toll));
    all.map(shorten).collect()
}

fn added(change: &Change, toll: &Toll) -> Option<String> {
    let (adds, there) = (&change.adds, &change.there);
    if adds.is_empty() {
        return None;
    }
    let stay = there.iter().filter(|id| !change.removes.contains(id)).count();
    let share = match &toll.all {
        Some(Ok(held)) => {
            let (new, all) = (adds.len() as u64, (adds.len() + stay) as u64);
            format!("about {} would move on to them", amount(held, new, all.max(1)))
        }
        Some(Err(failure)) => format!("how much would move on to them is not known: {failure}"),
        None => "partitions would move on to them".to_owned(),
    };
    Some(format!("{} would be added, and {share}", listed(adds)))
}

/// The part `part` of `whole` equal shares of what is held: `12 replicas (1.5 GiB)`.
fn amount(held: &ReplicasAnswer, part: u64, whole: u64) -> String {
    let share =
        |count: u64| (u128::from(count) * u128::from(part)).div_ceil(u128::from(whole.max(1)));
    let size = bytes(i64::try_from(share(held.bytes_left)).unwrap_or(i64::MAX));
    let count = share(held.replicas);
    let noun = if count == 1 { "replica" } else { "replicas" };
    format!("{count} {noun} ({size})")
}

fn removed(change: &Change, toll: &Toll) -> Option<String> {
    let removes = &change.removes;
    if removes.is_empty() {
        return None;
    }
    let held = match &toll.going {
        Some(Ok(held)) => format!("{} would move to the others first", amount(held, 1, 1)),
        Some(Err(failure)) => format!("how much would move first is not known: {failure}"),
        None => "partitions would move to the others first".to_owned(),
    };
    let volumes = if change.deletes_volumes { "deleted" } else { "kept" };
    let noun = if removes.len() == 1 { "volume is" } else { "volumes are" };
    Some(format!("{} would be removed: {held}; the {noun} {volumes}", listed(removes)))
}

fn restarted(change: &Change, edited: &[String]) -> Option<String> {
    let restarts = &change.restarts;
    let how = match (restarts.len(), change.together) {
        (0, _) => return None,
        (1, _) => "",
        (_, ..=1) => ", one at a time",
        _ => ", those of a zone together where that is safe",
    };
    let why = if edited.is_empty() { String::new() } else { format!(", for {}", names(edited)) };
    Some(format!("{} would be restarted{how}{why}", listed(restarts)))
}

/// A topic that keeps a broker from going.
fn blocked(toll: &Toll) -> Option<String> {
    let Some(Ok(going)) = &toll.going else { return None };
    let first = going.blocked.first()?;
    let topic = first.topic.as_deref().unwrap_or("a partition");
    let more = match going.blocked.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    Some(format!("the removal could not be completed: {topic}: {}{more}", first.message))
}

/// Topics that nobody serves while a broker restarts.
fn silent(change: &Change, toll: &Toll) -> Option<String> {
    if change.restarts.is_empty() {
        return None;
    }
    match &toll.silent {
        Some(Ok(topics)) if !topics.is_empty() => {
            let topics: Vec<String> = topics.iter().cloned().collect();
            Some(format!("while a broker restarts, what only it has is away: {}", names(&topics)))
        }
        Some(Err(failure)) => {
            Some(format!("whether every topic is served meanwhile is not known: {failure}"))
        }
        _ => None,
    }
}

fn names(all: &[String]) -> String {
    let shown = all.iter().take(MAX_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.len().checked_sub(MAX_NAMES) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

fn shorten(text: String) -> String {
    if text.chars().count() <= MAX_CHARS {
        return text;
    }
    text.chars().take(MAX_CHARS - 1).chain(['…']).collect()
}
