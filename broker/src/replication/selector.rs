use quorum::MetadataImage;

use crate::config::Configs;

/// Kafka's name for the choice by rack; any package is taken.
const RACK_AWARE: &str = "RackAwareReplicaSelector";

/// Whether consumers are sent to replicas in their own rack (`replica.selector.class`).
pub(crate) fn reads_near(configs: &Configs, image: &MetadataImage) -> bool {
    let class = configs.broker(image, "replica.selector.class");
    class.is_some_and(|class| class.rsplit('.').next() == Some(RACK_AWARE))
}

/// The replica that a consumer in `rack` should read from instead of this leader: the one in its rack that has most, if the
/// leader is in another rack (Kafka's `RackAwareReplicaSelector`). `candidates` gives node ids and how far they are.
pub(crate) fn preferred_replica(
    image: &MetadataImage,
    leader: i32,
    rack: &str,
    candidates: impl FnOnce() -> Vec<(i32, i64)>,
) -> Option<i32> {
    let own_rack = image.broker(leader)?.rack.as_deref()?;
    if own_rack == rack {
        return None;
    }
    let is_near =
        |id: i32| image.broker(id).is_some_and(|b| !b.fenced && b.rack.as_deref() == Some(rack));
    let near = candidates().into_iter().filter(|(id, _)| is_near(*id));
    near.max_by_key(|(_, end)| *end).map(|(id, _)| id)
}
