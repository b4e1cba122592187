//! Proposals as Kafka's AlterPartition says them (KIP-497, KIP-903), and its answers as outcomes.

use std::collections::{BTreeMap, HashMap};

use protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use protocol::messages::alter_partition_response::PartitionData as Answered;
use protocol::messages::{AlterPartitionRequest, AlterPartitionResponse};
use protocol::{ErrorCode, Uuid};
use replica::IsrOutcome;

use super::PartitionProposal;

/// First version that carries the members' broker epochs.
pub(crate) const VERSION: i16 = 3;

/// One request for all proposals of the leader `broker_id`, registered as `broker_epoch`.
pub(crate) fn request(
    broker_id: i32,
    broker_epoch: i64,
    proposals: &[PartitionProposal],
) -> AlterPartitionRequest {
    let mut topics: BTreeMap<Uuid, Vec<PartitionData>> = BTreeMap::new();
    for of in proposals {
        let member = |(id, epoch): &(i32, i64)| BrokerState {
            broker_id: *id,
            // The leader knows its own registration best.
            broker_epoch: if *id == broker_id { broker_epoch } else { *epoch },
        };
        topics.entry(of.topic_id).or_default().push(PartitionData {
            partition_index: of.partition,
            leader_epoch: of.proposal.leader_epoch,
            new_isr_with_epochs: of.proposal.isr.iter().map(member).collect(),
            partition_epoch: of.proposal.partition_epoch,
            ..PartitionData::default()
        });
    }
    let topic = |(topic_id, partitions)| TopicData { topic_id, partitions };
    AlterPartitionRequest {
        broker_id,
        broker_epoch,
        topics: topics.into_iter().map(topic).collect(),
    }
}

/// What became of each proposal, in order. `response` is `None` when there was no answer.
pub(crate) fn outcomes(
    proposals: &[PartitionProposal],
    response: Option<&AlterPartitionResponse>,
) -> Vec<IsrOutcome> {
    let mut answers: HashMap<(Uuid, i32), &Answered> = HashMap::new();
    let answered = response.filter(|response| response.error_code == ErrorCode::NONE.0);
    for topic in answered.iter().flat_map(|response| &response.topics) {
        let parts = topic.partitions.iter();
        answers.extend(parts.map(|data| ((topic.topic_id, data.partition_index), data)));
    }
    let outcome = |of: &PartitionProposal| {
        let data = answers.get(&(of.topic_id, of.partition));
        data.map_or(IsrOutcome::Unknown, |data| match ErrorCode(data.error_code) {
            ErrorCode::NONE => IsrOutcome::Decided {
                leader: data.leader_id,
                leader_epoch: data.leader_epoch,
                partition_epoch: data.partition_epoch,
                isr: data.isr.clone(),
            },
            // The state is the one that the proposal named, and it was not changed.
            ErrorCode::INELIGIBLE_REPLICA
            | ErrorCode::OPERATION_NOT_ATTEMPTED
            | ErrorCode::INVALID_REQUEST => IsrOutcome::Refused,
            // Another state, another controller, or no word of it: the metadata will tell.
            _ => IsrOutcome::Unknown,
        })
    };
    proposals.iter().map(outcome).collect()
}

#[cfg(test)]
mod tests {
    use protocol::messages::alter_partition_response::TopicData as AnsweredTopic;
    use replica::IsrProposal;

    use super::*;

    fn proposal(partition: i32) -> PartitionProposal {
        let isr = vec![(1, -1), (2, 7)];
        let proposal = IsrProposal { isr, leader_epoch: 3, partition_epoch: 4 };
        PartitionProposal { topic_id: Uuid::from_random(1), partition, proposal }
    }

    #[test]
    fn a_request_names_members_with_their_registrations() {
        let request = request(1, 9, &[proposal(0), proposal(5)]);
        assert_eq!((request.broker_id, request.broker_epoch, request.topics.len()), (1, 9, 1));
        let partitions = &request.topics[0].partitions;
        assert_eq!(partitions.iter().map(|p| p.partition_index).collect::<Vec<_>>(), [0, 5]);
        let members = partitions[0].new_isr_with_epochs.iter();
        assert_eq!(
            members.map(|m| (m.broker_id, m.broker_epoch)).collect::<Vec<_>>(),
            [(1, 9), (2, 7)]
        );
    }

    #[test]
    fn only_a_clear_refusal_is_one() {
        let data = |partition_index, code: ErrorCode| Answered {
            partition_index,
            error_code: code.0,
            leader_id: 1,
            leader_epoch: 3,
            partition_epoch: 5,
            isr: vec![1, 2],
            ..Answered::default()
        };
        let partitions = vec![
            data(0, ErrorCode::NONE),
            data(1, ErrorCode::INELIGIBLE_REPLICA),
            data(2, ErrorCode::INVALID_UPDATE_VERSION),
        ];
        let topics = vec![AnsweredTopic { topic_id: Uuid::from_random(1), partitions }];
        let response = AlterPartitionResponse { topics, ..AlterPartitionResponse::default() };
        let all: Vec<_> = (0..4).map(proposal).collect();
        let decided =
            IsrOutcome::Decided { leader: 1, leader_epoch: 3, partition_epoch: 5, isr: vec![1, 2] };
        let expected = [decided, IsrOutcome::Refused, IsrOutcome::Unknown, IsrOutcome::Unknown];
        assert_eq!(outcomes(&all, Some(&response)), expected);
        assert_eq!(outcomes(&all[..1], None), [IsrOutcome::Unknown]);
        let error_code = ErrorCode::STALE_BROKER_EPOCH.0;
        let response = AlterPartitionResponse { error_code, ..response };
        assert_eq!(outcomes(&all[..1], Some(&response)), [IsrOutcome::Unknown]);
    }
}
