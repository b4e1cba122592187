use std::collections::BTreeSet;

use bytes::Bytes;
use protocol::messages::ConsumerProtocolSubscription;
use protocol::{Decoder, Message, Str};

use crate::machine::{Group, State};

/// The protocol type of groups of Kafka consumers, whose metadata we can read.
const CONSUMER: &str = "consumer";

/// Topics that the members of a consumer group subscribe to; `None` when that is not known (another protocol type,
/// metadata that cannot be read).
pub fn subscribed_topics(group: &Group) -> Option<BTreeSet<Str>> {
    if group.protocol_type().map(|t| &**t) != Some(CONSUMER) || group.state() == State::Empty {
        return None;
    }
    let protocol = group.protocol_name()?;
    let mut topics = BTreeSet::new();
    for member in group.members() {
        topics.extend(topics_of(member.metadata(protocol)?)?);
    }
    Some(topics)
}

fn topics_of(metadata: &Bytes) -> Option<Vec<Str>> {
    let mut decoder = Decoder::new(metadata.clone());
    let version = decoder.i16().ok()?;
    // A newer version only adds fields at the end.
    let version = version.min(*ConsumerProtocolSubscription::VERSIONS.end());
    let subscription = ConsumerProtocolSubscription::decode(&mut decoder, version).ok()?;
    Some(subscription.topics)
}
