//! Which partition a record goes to, as Kafka's default partitioner decides.

use std::collections::HashMap;

use protocol::Str;

use super::{ProduceError, ProducerConfig, ProducerRecord};
use crate::{TopicMetadata, TopicPartition};

/// For records without a key: the partition that a topic's records go to until a batch's worth has gone there
/// (KIP-794), so that batches fill up.
#[derive(Debug, Default)]
pub(super) struct Partitioner {
    sticky: HashMap<Str, Sticky>,
}

#[derive(Debug)]
struct Sticky {
    partition: i32,
    bytes: usize,
}

impl Partitioner {
    pub(super) fn partition(
        &mut self,
        record: &ProducerRecord,
        size: usize,
        topic: &TopicMetadata,
        config: &ProducerConfig,
    ) -> Result<i32, ProduceError> {
        let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let unknown = |partition| {
            let topic = topic.name.clone();
            ProduceError::UnknownPartition(TopicPartition { topic, partition })
        };
        if count == 0 {
            return Err(unknown(0));
        }
        match (record.partition, &record.key) {
            (Some(partition), _) if (0..count).contains(&partition) => Ok(partition),
            (Some(partition), _) => Err(unknown(partition)),
            (None, Some(key)) => Ok(partition_for_key(key, count)),
            (None, None) => Ok(self.sticky(size, topic, config)),
        }
    }

    fn sticky(&mut self, size: usize, topic: &TopicMetadata, config: &ProducerConfig) -> i32 {
        let known = |p: i32| topic.partitions.iter().any(|m| m.id == p && m.leader >= 0);
        if let Some(sticky) = self.sticky.get_mut(&topic.name)
            && sticky.bytes < config.batch_size_bytes
            && known(sticky.partition)
        {
            sticky.bytes += size;
            return sticky.partition;
        }
        let available: Vec<i32> =
            topic.partitions.iter().filter(|p| p.leader >= 0).map(|p| p.id).collect();
        let partition = fastrand::choice(available)
            .unwrap_or_else(|| fastrand::i32(0..topic.partitions.len() as i32));
        self.sticky.insert(topic.name.clone(), Sticky { partition, bytes: size });
        partition
    }
}

/// The partition of a key among `partitions` (at least 1): murmur2, as Kafka's Java clients do, so that all
/// producers of a topic agree.
pub fn partition_for_key(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & 0x7fff_ffff) as i32 % partitions.max(1)
}

fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (i, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * i);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_kafka() {
        // org.apache.kafka.common.utils.UtilsTest.testMurmur2
        let cases: [(&[u8], i32); 7] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
            (b"", 275_646_681),
        ];
        for (key, hash) in cases {
            assert_eq!(murmur2(key) as i32, hash, "{key:?}");
        }
    }

    #[test]
    fn records_without_a_key_stay_until_a_batch_is_full() {
        let partition = |id| crate::PartitionMetadata {
            id,
            leader: 1,
            leader_epoch: 0,
            replicas: vec![1],
            isr: vec![1],
            offline: vec![],
        };
        let topic = TopicMetadata {
            name: "t".into(),
            id: protocol::Uuid::ZERO,
            internal: false,
            partitions: (0..100).map(partition).collect(),
        };
        let config = ProducerConfig { batch_size_bytes: 1000, ..Default::default() };
        let mut partitioner = Partitioner::default();
        let record = ProducerRecord::new("t", "v");
        let chosen: Vec<i32> = (0..200)
            .map(|_| partitioner.partition(&record, 100, &topic, &config).unwrap())
            .collect();
        assert!(chosen.chunks(10).all(|c| c.iter().all(|p| *p == c[0])), "{chosen:?}");
        assert!(chosen.iter().any(|p| *p != chosen[0]));
        let beyond = ProducerRecord { partition: Some(100), ..record };
        assert!(partitioner.partition(&beyond, 1, &topic, &config).is_err());
    }
}
