//! An administrator who deletes a topic and makes it anew, under the same name, while it is written and read.

use protocol::Uuid;
use quorum::controller::MorePartitions;

use super::message::Call;
use super::world::World;
use super::{CHURN_PARTITIONS, CHURN_TOPIC};

impl World {
    /// The topic goes; at once, or before long, there is another one of its name.
    pub(super) fn delete_topic(&mut self) -> Result<(), String> {
        let newest = self.checker.metadata.newest();
        if !self.plan.churns || newest.is_none_or(|image| image.topic(CHURN_TOPIC).is_none()) {
            return Ok(());
        }
        self.ask(Call::DeleteTopic(CHURN_TOPIC.to_owned()));
        if self.random.bool() {
            self.create_topics(&[CHURN_TOPIC]);
        }
        Ok(())
    }

    /// Whether a partition was made where nobody but one was there, whose disk was lost at that moment: nobody may lead it any more,
    /// and nothing was ever in it. All that helps is another topic.
    pub(super) fn is_lost_empty(&self) -> bool {
        let newest = self.checker.metadata.newest();
        let topic = newest.and_then(|image| image.topic(CHURN_TOPIC));
        topic.is_some_and(|topic| {
            topic.iter().any(|(index, of)| {
                let nobody = of.leader < 0 && of.isr.is_empty() && of.elr.is_empty();
                nobody && self.checker.end_of((topic.id, index)) == 0
            })
        })
    }

    /// The topic is given one more partition, where the controller likes, or where the administrator does.
    pub(super) fn add_partition(&mut self) -> Result<(), String> {
        let newest = self.checker.metadata.newest();
        let topic = newest.and_then(|image| image.topic(CHURN_TOPIC));
        let Some(have) = topic.map(|topic| topic.partitions.len() as i32) else { return Ok(()) };
        if !self.plan.churns || have >= CHURN_PARTITIONS {
            return Ok(());
        }
        let mut all: Vec<i32> = (0..self.plan.machines as i32).collect();
        self.random.shuffle(&mut all);
        all.truncate(self.plan.replication_factor);
        let assignments = self.random.bool().then(|| vec![all]);
        let topic = CHURN_TOPIC.to_owned();
        self.ask(Call::AddPartitions(MorePartitions { topic, count: have + 1, assignments }));
        Ok(())
    }

    /// Topics that a leader asks the newest controller about, and whose deletion is committed. (One that others have deposed may
    /// still say what has not changed.)
    pub(super) fn gone_topics(&self, controller: usize, call: &Call) -> Vec<Uuid> {
        let Call::Alter { changes, .. } = call else { return Vec::new() };
        if self.controller() != Some(controller) {
            return Vec::new();
        }
        let Some(image) = self.checker.metadata.newest() else { return Vec::new() };
        let ids = changes.iter().map(|change| change.topic_id);
        ids.filter(|id| image.topic_by_id(id).is_none()).collect()
    }
}
