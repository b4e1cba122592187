//! What a topic's configs say about its partitions' leaders, as the controller sees it.

use super::Controller;
use crate::image::{MetadataImage, TopicImage};
use crate::record::ConfigResource;

/// The rules for one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TopicRules {
    /// `min.insync.replicas`, at least 1.
    pub(super) min_insync_replicas: usize,
    /// `unclean.leader.election.enable`.
    pub(super) unclean_election: bool,
    #[cfg(feature = "planted")]
    pub(super) planted: Option<super::Planted>,
}

impl TopicRules {
    /// The topic's own config, else the cluster's dynamic default, else what the controller was started with.
    pub(super) fn of(controller: &Controller, image: &MetadataImage, topic: &TopicImage) -> Self {
        let settings = &controller.settings;
        let min = value(image, topic, "min.insync.replicas").and_then(|text| text.parse().ok());
        let unclean = value(image, topic, "unclean.leader.election.enable");
        Self {
            min_insync_replicas: min.unwrap_or(settings.min_insync_replicas).max(1),
            unclean_election: unclean
                .map_or(settings.unclean_leader_election_enable, |text| text == "true"),
            #[cfg(feature = "planted")]
            planted: controller.planted,
        }
    }
}

fn value<'a>(image: &'a MetadataImage, topic: &'a TopicImage, key: &str) -> Option<&'a str> {
    let default = || image.configs(&ConfigResource::Broker(None))?.get(key);
    topic.configs.get(key).or_else(default).map(String::as_str)
}
