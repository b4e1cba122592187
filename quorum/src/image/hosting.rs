//! What a node holds, by topic *id*: a name may have been another topic's before.

use protocol::Uuid;

use super::MetadataImage;

impl MetadataImage {
    /// Whether a node is to have a replica of partition `index` of the topic with this id. A replica that it has and is not to have
    /// goes, folder and all, *before* others are opened: a topic of the same name may be about to take its folder's name.
    pub fn hosts(&self, node_id: i32, topic_id: &Uuid, index: i32) -> bool {
        let partition = self.topic_by_id(topic_id).and_then(|topic| topic.partition(index));
        partition.is_some_and(|partition| partition.replicas.contains(&node_id))
    }

    /// Whether a folder that a node finds when it starts, named after partition `index` of topic `name`, is one of its replicas.
    /// `topic_id` is what the folder says, in Kafka's text form; one that does not say so goes by its name.
    pub fn claims(&self, node_id: i32, name: &str, index: i32, topic_id: Option<&str>) -> bool {
        self.topic(name).is_some_and(|topic| {
            topic_id.is_none_or(|id| id.parse() == Ok(topic.id))
                && self.hosts(node_id, &topic.id, index)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{MetadataRecord, PartitionRecord};

    fn image(topic_id: Uuid) -> MetadataImage {
        let mut image = MetadataImage::default();
        let partition =
            PartitionRecord { topic_id, replicas: vec![1, 2], ..PartitionRecord::default() };
        image.apply(&MetadataRecord::Topic { name: "t".into(), topic_id }).unwrap();
        image.apply(&MetadataRecord::Partition(partition)).unwrap();
        image
    }

    #[test]
    fn a_replica_belongs_to_a_topic_by_its_id() {
        let (old, new) = (Uuid([1; 16]), Uuid([2; 16]));
        let (before, after) = (image(old), image(new));
        assert!(before.hosts(1, &old, 0) && !after.hosts(1, &old, 0) && after.hosts(2, &new, 0));
        assert!(!after.hosts(3, &new, 0) && !after.hosts(1, &new, 1));
    }

    #[test]
    fn a_folder_of_a_deleted_topic_is_not_that_of_a_new_one() {
        let (old, new) = (Uuid([1; 16]), Uuid([2; 16]));
        let image = image(new);
        let claims = |id: Option<&str>| image.claims(1, "t", 0, id);
        assert!(claims(Some(&new.to_string())) && claims(None));
        assert!(!claims(Some(&old.to_string())) && !claims(Some("torn")));
        assert!(!image.claims(3, "t", 0, None) && !image.claims(1, "u", 0, None));
        assert!(!image.claims(1, "t", 1, Some(&new.to_string())));
    }
}
