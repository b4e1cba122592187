//! A Topic object beside the topic. Pure.

use std::collections::BTreeMap;

use crds::TopicSpec;

use super::Outcome;
use super::see::{SeenPartition, SeenTopic};
use crate::output::bytes;
use crate::up::object::Declared;
use crate::up::status::count;

const MIN_IN_SYNC: &str = "min.insync.replicas";

/// What applying the object would do.
pub(super) fn compare(
    declared: &Declared<TopicSpec>,
    seen: Option<&SeenTopic>,
    brokers: usize,
) -> Outcome {
    let spec = &declared.spec;
    if let Some(why) = impossible(spec, seen, brokers) {
        return Outcome::Refused(declared.refuse(&[why.0], why.1).to_string());
    }
    let Some(seen) = seen else { return Outcome::Create(properties(spec)) };
    let mut lines = Vec::new();
    let partitions = seen.partitions.len();
    if wanted(spec.partitions) > partitions {
        lines.push(format!(
            "partitions: {partitions} -> {} (records with a key may go to another partition than before)",
            spec.partitions
        ));
    }
    lines.extend(configs(&spec.config, &seen.config));
    lines.extend(spec.replicas.and_then(|replicas| moves(&seen.partitions, wanted(replicas))));
    if lines.is_empty() { Outcome::Same } else { Outcome::Change(lines) }
}

fn wanted(number: i32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// What Kafka or the operator would refuse: the field, and the sentence.
fn impossible(
    spec: &TopicSpec,
    seen: Option<&SeenTopic>,
    brokers: usize,
) -> Option<(&'static str, String)> {
    let there = seen.map_or(0, |seen| seen.partitions.len());
    if wanted(spec.partitions) < there {
        let text = format!(
            "the topic has {there} partitions and Kafka cannot remove any; write {there} or make another topic"
        );
        return Some(("partitions", text));
    }
    let replicas = spec.replicas?;
    if wanted(replicas) > brokers {
        let text = format!(
            "{replicas} replicas need as many brokers and there are {brokers}; add brokers or write fewer"
        );
        return Some(("replicas", text));
    }
    let min = spec.config.get(MIN_IN_SYNC).and_then(|min| min.parse::<i32>().ok());
    min.filter(|min| *min > replicas).map(|min| {
        let text = format!(
            "with {replicas} replicas and {MIN_IN_SYNC}={min} nothing could be written with acks=all"
        );
        ("replicas", text)
    })
}

fn properties(spec: &TopicSpec) -> Vec<String> {
    let replicas =
        spec.replicas.map_or_else(|| "the cluster's default".to_owned(), |r| r.to_string());
    let mut lines =
        vec![format!("partitions: {}", spec.partitions), format!("replicas: {replicas}")];
    lines.extend(spec.config.iter().map(|(key, value)| format!("{key}: {value}")));
    lines
}

fn configs<'a>(
    described: &'a BTreeMap<String, String>,
    found: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = String> + 'a {
    let set = described.iter().filter(|(key, value)| found.get(*key) != Some(*value));
    let set = set.map(|(key, value)| match found.get(key) {
        Some(before) => format!("{key}: {before} -> {value}"),
        None => format!("{key}: the cluster's default -> {value}"),
    });
    let reset = found.iter().filter(|(key, _)| !described.contains_key(*key));
    set.chain(reset.map(|(key, before)| format!("{key}: {before} -> the cluster's default")))
}

/// The partitions that move for another number of replicas, and the bytes that are copied.
fn moves(partitions: &[SeenPartition], replicas: usize) -> Option<String> {
    let moving: Vec<_> = partitions.iter().filter(|p| p.replicas != replicas).collect();
    let before = moving.first()?.replicas;
    let missing = |p: &&SeenPartition| replicas.saturating_sub(p.replicas) as u64;
    let copied: Option<u64> = moving.iter().map(|p| Some(p.bytes? * missing(p))).sum();
    let copied = match copied {
        Some(0) => "nothing is copied".to_owned(),
        Some(copied) => format!("{} are copied", bytes(copied)),
        None => "it is not known how many bytes are copied".to_owned(),
    };
    let moving = count(moving.len() as u64, "partition");
    Some(format!("replicas: {before} -> {replicas} ({moving} to change, {copied})"))
}

#[cfg(test)]
mod tests;
