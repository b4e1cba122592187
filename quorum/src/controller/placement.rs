//! Which brokers get the replicas of new partitions.

use std::collections::{BTreeMap, HashSet, VecDeque};

use protocol::Str;
use thiserror::Error;

use crate::image::MetadataImage;

/// Why replicas cannot be placed as asked.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum PlacementError {
    /// More replicas than brokers.
    #[error(
        "Unable to replicate the partition {wanted} time(s): The target replication factor of {wanted} cannot be reached because only {brokers} broker(s) are registered."
    )]
    TooFewBrokers {
        /// Replicas wanted.
        wanted: i16,
        /// Brokers that can take replicas.
        brokers: usize,
    },
    /// 0 or below -1.
    #[error("Replication factor must be larger than 0, or -1 to use the default value.")]
    NotPositive,
    /// A manual assignment that cannot be.
    #[error("{0}")]
    Assignment(String),
}

/// Chooses replicas for `count` partitions: leaders go round the brokers, replicas of one partition sit on as many
/// racks as there are.
pub(super) fn place(
    image: &MetadataImage,
    first_partition: usize,
    count: usize,
    replication_factor: i16,
) -> Result<Vec<Vec<i32>>, PlacementError> {
    let wanted = usize::try_from(replication_factor).unwrap_or(0);
    if wanted == 0 {
        return Err(PlacementError::NotPositive);
    }
    let there = interleaved_by_rack(image, true);
    let away = interleaved_by_rack(image, false);
    let registered = there.len() + away.len();
    if wanted > registered || there.is_empty() {
        return Err(PlacementError::TooFewBrokers {
            wanted: replication_factor,
            brokers: registered,
        });
    }
    // Topics start at different brokers, so that many topics with one partition do not all land on the first.
    let start = image.topics().len();
    let replicas = |partition: usize| {
        let from = start + partition;
        let round = |ids: &[i32], n: usize| -> Vec<i32> {
            (0..n).map(|r| ids[(from + r) % ids.len()]).collect()
        };
        // Brokers that are away hold replicas only when there is no other way: they will be back.
        let mut replicas = round(&there, wanted.min(there.len()));
        replicas.extend(round(&away, wanted - replicas.len()));
        replicas
    };
    Ok((first_partition..first_partition + count).map(replicas).collect())
}

/// Checks replicas that the client chose.
pub(super) fn check_assignment(
    image: &MetadataImage,
    replicas: &[i32],
    replication_factor: Option<usize>,
) -> Result<(), PlacementError> {
    let refuse = |why: String| Err(PlacementError::Assignment(why));
    if replicas.is_empty() {
        return refuse(
            "The manual partition assignment includes an empty replica list.".to_owned(),
        );
    }
    if replicas.iter().collect::<HashSet<_>>().len() != replicas.len() {
        return refuse(format!(
            "The manual partition assignment includes a broker more than once: {replicas:?}."
        ));
    }
    if let Some(missing) = replicas.iter().find(|&&id| image.broker(id).is_none()) {
        return refuse(format!(
            "The manual partition assignment includes broker {missing}, but no such broker is registered."
        ));
    }
    if !replicas.iter().any(|&id| image.is_active(id)) {
        return refuse(format!(
            "All brokers of the manual partition assignment are fenced or about to stop: {replicas:?}."
        ));
    }
    match replication_factor {
        Some(others) if others != replicas.len() => refuse(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not consistent with previous partitions, which have {others} replica(s).",
            replicas.len()
        )),
        _ => Ok(()),
    }
}

fn interleaved_by_rack(image: &MetadataImage, active: bool) -> Vec<i32> {
    let mut racks: BTreeMap<Option<Str>, VecDeque<i32>> = BTreeMap::new();
    for broker in image.brokers().filter(|broker| broker.is_active() == active) {
        racks.entry(broker.rack.clone()).or_default().push_back(broker.id);
    }
    let mut brokers = Vec::new();
    while !racks.is_empty() {
        for queue in racks.values_mut() {
            brokers.extend(queue.pop_front());
        }
        racks.retain(|_, queue| !queue.is_empty());
    }
    brokers
}
