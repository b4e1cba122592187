use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use protocol::{Str, Uuid};

use super::{ApplyError, ConfigMap};
use crate::record::{ConfigResource, MetadataRecord, PartitionChange, PartitionRecord};

/// A topic with its partitions and dynamic configs.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicImage {
    /// Its name.
    pub name: Str,
    /// Its id.
    pub id: Uuid,
    /// Index = partition id.
    pub partitions: Vec<PartitionImage>,
    /// Configs that were set on the topic.
    pub configs: Arc<ConfigMap>,
}

/// A partition's state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionImage {
    /// Node ids, the preferred leader first.
    pub replicas: Arc<[i32]>,
    /// In-sync replicas.
    pub isr: Arc<[i32]>,
    /// Leader's node id, -1 when there is none.
    pub leader: i32,
    /// Raised with every change of leader.
    pub leader_epoch: i32,
    /// Raised with every change.
    pub partition_epoch: i32,
    /// Eligible leader replicas (KIP-966): outside the ISR, yet sure to hold everything that was committed.
    pub elr: Arc<[i32]>,
    /// The last ones that were eligible when an unclean stop took them out of `isr` and `elr`.
    pub last_known_elr: Arc<[i32]>,
    /// Replicas that a reassignment adds.
    pub adding_replicas: Arc<[i32]>,
    /// Replicas that a reassignment takes away.
    pub removing_replicas: Arc<[i32]>,
}

impl PartitionImage {
    /// Whether a reassignment is under way.
    pub fn is_reassigning(&self) -> bool {
        !self.adding_replicas.is_empty() || !self.removing_replicas.is_empty()
    }

    /// The replicas after the reassignment that is under way, or the present ones.
    pub fn target_replicas(&self) -> Vec<i32> {
        let stays = |id: &&i32| !self.removing_replicas.contains(id);
        self.replicas.iter().filter(stays).copied().collect()
    }

    fn change(&mut self, change: &PartitionChange) {
        self.partition_epoch += 1;
        if let Some(leader) = change.leader {
            self.leader = leader;
            self.leader_epoch += 1;
        }
        let set = |field: &mut Arc<[i32]>, new: &Option<Vec<i32>>| {
            if let Some(new) = new {
                *field = new.as_slice().into();
            }
        };
        set(&mut self.isr, &change.isr);
        set(&mut self.replicas, &change.replicas);
        set(&mut self.elr, &change.elr);
        set(&mut self.last_known_elr, &change.last_known_elr);
        set(&mut self.adding_replicas, &change.adding_replicas);
        set(&mut self.removing_replicas, &change.removing_replicas);
    }

    fn to_record(&self, topic_id: Uuid, partition: i32) -> PartitionRecord {
        PartitionRecord {
            topic_id,
            partition,
            replicas: self.replicas.to_vec(),
            isr: self.isr.to_vec(),
            leader: self.leader,
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            elr: self.elr.to_vec(),
            last_known_elr: self.last_known_elr.to_vec(),
            adding_replicas: self.adding_replicas.to_vec(),
            removing_replicas: self.removing_replicas.to_vec(),
        }
    }
}

/// All topics, by name and by id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TopicsImage {
    by_name: BTreeMap<Str, Arc<TopicImage>>,
    names: HashMap<Uuid, Str>,
    partitions: usize,
}

impl TopicImage {
    /// A partition's state.
    pub fn partition(&self, partition: i32) -> Option<&PartitionImage> {
        self.partitions.get(usize::try_from(partition).ok()?)
    }

    /// Partition ids and states, in order.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &PartitionImage)> {
        (0..).zip(&self.partitions)
    }

    pub(super) fn to_records(&self, records: &mut Vec<MetadataRecord>) {
        records.push(MetadataRecord::Topic { name: self.name.to_string(), topic_id: self.id });
        records.extend(self.iter().map(|(partition, state)| {
            MetadataRecord::Partition(state.to_record(self.id, partition))
        }));
        records.extend(self.configs.iter().map(|(key, value)| MetadataRecord::Config {
            resource: ConfigResource::Topic(self.name.to_string()),
            key: key.clone(),
            value: Some(value.clone()),
        }));
    }
}

impl TopicsImage {
    /// A topic by name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.by_name.get(name)
    }

    /// A topic by id.
    pub fn by_id(&self, id: &Uuid) -> Option<&Arc<TopicImage>> {
        self.by_name.get(self.names.get(id)?)
    }

    /// All topics, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<TopicImage>> {
        self.by_name.values()
    }

    /// How many topics there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is no topic.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// How many partitions all topics have together.
    pub fn partition_count(&self) -> usize {
        self.partitions
    }

    pub(super) fn add(&mut self, name: &str, id: Uuid) -> Result<(), ApplyError> {
        if self.by_name.contains_key(name) || self.names.contains_key(&id) {
            return Err(ApplyError::DuplicateTopic(name.to_owned()));
        }
        let name = Str::copy(name);
        self.names.insert(id, name.clone());
        let topic =
            TopicImage { name: name.clone(), id, partitions: Vec::new(), configs: Arc::default() };
        self.by_name.insert(name, Arc::new(topic));
        Ok(())
    }

    pub(super) fn add_partition(&mut self, record: &PartitionRecord) -> Result<(), ApplyError> {
        let topic = self.edit(&record.topic_id)?;
        let have = topic.partitions.len();
        if usize::try_from(record.partition) != Ok(have) {
            return Err(ApplyError::PartitionOutOfOrder {
                topic_id: record.topic_id,
                partition: record.partition,
                have,
            });
        }
        topic.partitions.push(PartitionImage::of(record));
        self.partitions += 1;
        Ok(())
    }

    pub(super) fn change_partition(&mut self, change: &PartitionChange) -> Result<(), ApplyError> {
        let unknown = ApplyError::UnknownPartition(change.topic_id, change.partition);
        let topic = self.edit(&change.topic_id)?;
        let index = usize::try_from(change.partition).unwrap_or(usize::MAX);
        let partition = topic.partitions.get_mut(index).ok_or(unknown)?;
        partition.change(change);
        Ok(())
    }

    pub(super) fn remove(&mut self, id: &Uuid) -> Result<(), ApplyError> {
        let name = self.names.remove(id).ok_or(ApplyError::UnknownTopic(*id))?;
        if let Some(topic) = self.by_name.remove(&name) {
            self.partitions -= topic.partitions.len();
        }
        Ok(())
    }

    pub(super) fn configure(
        &mut self,
        name: &str,
        key: &str,
        value: Option<&str>,
    ) -> Result<(), ApplyError> {
        let topic = self
            .by_name
            .get_mut(name)
            .ok_or_else(|| ApplyError::UnknownTopicName(name.to_owned()))?;
        let configs = Arc::make_mut(&mut Arc::make_mut(topic).configs);
        match value {
            Some(value) => configs.insert(key.to_owned(), value.to_owned()),
            None => configs.remove(key),
        };
        Ok(())
    }

    fn edit(&mut self, id: &Uuid) -> Result<&mut TopicImage, ApplyError> {
        let topic = self.names.get(id).and_then(|name| self.by_name.get_mut(name));
        topic.map(Arc::make_mut).ok_or(ApplyError::UnknownTopic(*id))
    }
}
