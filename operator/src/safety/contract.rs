//! What a broker's admin port says under `/safety/`, as JSON. Every type of that contract is here.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `GET /safety/restart?brokers=1,2`: may these brokers be stopped at the same time, now?
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct RestartAnswer {
    /// Missing means no.
    pub(crate) safe: bool,
    /// What stands in the way.
    pub(crate) reasons: Vec<Obstacle>,
    /// Partitions that will not serve meanwhile whatever is done, such as those with one replica.
    pub(crate) unavoidable: Vec<Obstacle>,
    /// Partitions that each of them leads.
    pub(crate) leaders: BTreeMap<String, u64>,
    /// The active controller.
    pub(crate) controller: Option<i32>,
}

/// One thing that stands in the way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Obstacle {
    /// `partition`, `quorum` or `broker`.
    pub(crate) kind: String,
    pub(crate) topic: Option<String>,
    pub(crate) message: String,
}

/// `GET /safety/replicas?brokers=3,4`: what is left on these brokers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplicasAnswer {
    /// Required: a missing number must not read as "nothing is left".
    pub(crate) replicas: u64,
    #[serde(default)]
    pub(crate) moving: u64,
    #[serde(default)]
    pub(crate) bytes_left: u64,
    /// Replicas that are not in sync; nothing from a broker that does not tell.
    #[serde(default)]
    pub(crate) behind: Option<u64>,
    /// Partitions that no other active broker has in sync; nothing from a broker that does not tell.
    #[serde(default)]
    pub(crate) sole: Option<u64>,
    #[serde(default)]
    pub(crate) topics: Vec<String>,
    /// The topics of `sole`.
    #[serde(default)]
    pub(crate) sole_topics: Vec<String>,
    #[serde(default)]
    pub(crate) blocked: Vec<Obstacle>,
}

/// `POST /safety/evacuate` and `POST /safety/spread`: how far the moves are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MovesAnswer {
    #[serde(default)]
    pub(crate) planned: u64,
    /// Required, as are those left: missing numbers must not read as "done".
    pub(crate) moving: u64,
    pub(crate) left: u64,
    #[serde(default)]
    pub(crate) bytes_left: u64,
    #[serde(default)]
    pub(crate) blocked: Vec<Obstacle>,
}

/// `GET /safety/bandwidth`: the cluster-wide limit of what reassignments take of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BandwidthAnswer {
    /// Null if none is set. Required: a missing one must not read as "there was none".
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) bytes_per_second: Option<i64>,
}

/// `GET /safety/spread`: the moves that would even the brokers out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProposalAnswer {
    /// Required: a missing number must not read as "nothing to do".
    pub(crate) moves: u64,
    #[serde(default)]
    pub(crate) bytes: u64,
    /// The first of them.
    #[serde(default)]
    pub(crate) partitions: Vec<ProposedMoveAnswer>,
    #[serde(default)]
    pub(crate) blocked: Vec<Obstacle>,
    /// What the brokers did not know.
    #[serde(default)]
    pub(crate) notes: Vec<String>,
}

/// A partition that would be moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct ProposedMoveAnswer {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) from: Vec<i32>,
    pub(crate) to: Vec<i32>,
}

/// `GET /safety/quorum`: who votes, and how far everybody is behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct QuorumAnswer {
    /// The active controller, or -1.
    pub(crate) leader: Option<i32>,
    pub(crate) voters: Vec<QuorumMember>,
    pub(crate) observers: Vec<QuorumMember>,
}

/// A node of the metadata quorum.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct QuorumMember {
    pub(crate) id: i32,
    pub(crate) directory_id: String,
    /// Records that it lacks; nothing if it has not been heard of.
    pub(crate) lag: Option<u64>,
    /// Milliseconds since it had everything. It grows for a data folder that is no more, which the quorum lists for some
    /// minutes beside that which took its place.
    pub(crate) last_caught_up_ms: Option<u64>,
}

impl QuorumMember {
    /// Less is a data folder that was heard of more recently.
    pub(crate) fn age(&self) -> u64 {
        self.last_caught_up_ms.unwrap_or(u64::MAX)
    }
}

/// What comes with another status than 200.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Refusal {
    pub(super) message: String,
    /// With 503: the node to ask instead.
    pub(super) controller: Option<i32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: serde::de::DeserializeOwned>(json: serde_json::Value) -> Option<T> {
        serde_json::from_value(json).ok()
    }

    #[test]
    fn the_contract_reads() {
        let restart: RestartAnswer = read(serde_json::json!({
            "safe": true, "brokers": [1], "leaders": {"1": 12}, "controller": 2,
            "reasons": [{"kind": "partition", "topic": "t", "partition": 0, "message": "m"}],
            "unavoidable": [{"topic": "u", "partition": 1, "message": "m"}]}))
        .unwrap();
        assert_eq!((restart.safe, restart.controller), (true, Some(2)));
        assert_eq!(restart.reasons[0].topic.as_deref(), Some("t"));
        let quorum: QuorumAnswer = read(serde_json::json!({
            "leader": 2, "epoch": 5, "highWatermark": 10, "observers": [],
            "voters": [{"id": 0, "directoryId": "d", "logEndOffset": 10, "lag": 0, "lastCaughtUpMs": 12},
                       {"id": 1, "directoryId": "e", "logEndOffset": null, "lag": null, "lastCaughtUpMs": null}]}))
        .unwrap();
        assert_eq!(quorum.voters[0].directory_id, "d");
        assert_eq!((quorum.voters[0].lag, quorum.voters[1].lag), (Some(0), None));
        assert_eq!((quorum.voters[0].age(), quorum.voters[1].age()), (12, u64::MAX));
        let moves: MovesAnswer = read(serde_json::json!({
            "planned": 1, "moving": 2, "left": 3, "bytesLeft": 4, "blocked": []}))
        .unwrap();
        assert_eq!((moves.moving, moves.left, moves.bytes_left), (2, 3, 4));
    }

    #[test]
    fn what_is_missing_never_reads_as_safe_or_done() {
        assert!(!read::<RestartAnswer>(serde_json::json!({})).unwrap().safe);
        assert!(read::<ReplicasAnswer>(serde_json::json!({"leaders": 0})).is_none());
        let old: ReplicasAnswer = read(serde_json::json!({"replicas": 0})).unwrap();
        assert_eq!((old.behind, old.sole), (None, None));
        assert!(read::<MovesAnswer>(serde_json::json!({"planned": 0})).is_none());
        assert!(read::<BandwidthAnswer>(serde_json::json!({})).is_none());
        let none = read::<BandwidthAnswer>(serde_json::json!({"bytesPerSecond": null})).unwrap();
        assert_eq!(none.bytes_per_second, None);
    }
}
