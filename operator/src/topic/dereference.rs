//! Step one: the cluster, and other objects for the same topic.

use crds::Topic;
use kube::ResourceExt as _;

use crate::api::{self, ApiFailure};
use crate::context::Context;
use crate::references::ClusterFound;

/// What is there.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) cluster: Option<ClusterFound>,
    /// An older object for the same topic of the same cluster.
    pub(crate) older: Option<String>,
}

pub(crate) async fn dereference(object: &Topic, ctx: &Context) -> Result<Found, ApiFailure> {
    let namespace = object.namespace().unwrap_or_default();
    let cluster = ClusterFound::get(ctx, &namespace, &object.spec.cluster_ref.name).await?;
    let state = ctx.topics.state();
    let others = state.iter().filter_map(|guard| guard.0.as_ref().ok());
    Ok(Found { cluster, older: older(object, others) })
}

/// Two objects for one topic would fight for ever: the older one has it.
fn older<'a>(object: &Topic, others: impl Iterator<Item = &'a Topic>) -> Option<String> {
    let age =
        |t: &Topic| (t.metadata.creation_timestamp.clone().map(|t| t.0), t.metadata.uid.clone());
    let mine = age(object);
    others
        .filter(|t| t.metadata.uid != object.metadata.uid && !api::is_deleted(*t))
        .filter(|t| {
            t.namespace() == object.namespace() && t.spec.cluster_ref == object.spec.cluster_ref
        })
        .find(|t| t.kafka_name() == object.kafka_name() && age(t) < mine)
        .map(|t| t.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, uid: &str, second: i64) -> Topic {
        serde_json::from_value(serde_json::json!({
            "apiVersion": crds::API_VERSION, "kind": "Topic",
            "metadata": {"name": name, "namespace": "n", "uid": uid, "creationTimestamp": format!("2026-01-01T00:00:{second:02}Z")},
            "spec": {"clusterRef": {"name": "demo"}, "topicName": "lines"}}))
        .unwrap()
    }

    #[test]
    fn the_oldest_object_has_the_topic() {
        let (first, second) = (topic("a", "1", 1), topic("b", "2", 2));
        assert_eq!(older(&second, [&first, &second].into_iter()), Some("a".to_owned()));
        assert_eq!(older(&first, [&first, &second].into_iter()), None);
    }

    #[test]
    fn of_two_of_the_same_second_one_has_it() {
        let (first, second) = (topic("a", "1", 1), topic("b", "2", 1));
        let losers = [&first, &second]
            .into_iter()
            .filter(|t| older(t, [&first, &second].into_iter()).is_some());
        assert_eq!(losers.count(), 1);
    }
}
