//! Finds the controllers when only some of their addresses are known: `controller.quorum.bootstrap.servers` (KIP-853).
//!
//! Any node that answers DescribeQuorum knows who votes and where; the addresses that are configured may be those of a
//! load balancer. Who votes later is in the metadata log.

use std::time::Duration;

use protocol::messages::DescribeQuorumRequest;
use protocol::messages::describe_quorum_request::{PartitionData, TopicData};

use super::roles::RolesError;
use super::voters::StaticVoters;
use crate::config::Configs;
use crate::peers::{Channel, PeerSettings, Peers};

const KEY: &str = "controller.quorum.bootstrap.servers";
/// First version that says where the voters are.
const VERSION: i16 = 2;
/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before all servers are asked again: a cluster that is just being made has no controllers yet.
const PAUSE: Duration = Duration::from_millis(500);

/// The configured servers: host and port.
///
/// # Errors
/// An entry that is not `host:port`.
pub(crate) fn servers(configs: &Configs) -> Result<Vec<(String, u16)>, RolesError> {
    let text = configs.static_text(KEY);
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let server = |entry: &str| {
        let (host, port) = entry.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some((host.to_owned(), port.parse().ok()?)).filter(|_| !host.is_empty())
    };
    entries.map(|entry| server(entry).ok_or_else(|| RolesError::Server(entry.to_owned()))).collect()
}

/// Asks until one of the servers says who votes and where.
pub(crate) async fn find(servers: &[(String, u16)], settings: PeerSettings) -> StaticVoters {
    let peers = Peers::new(settings);
    // Node ids are not known yet; any that differ serve to name connections.
    let nodes = (0..).zip(servers).map(|(id, (host, port))| (id, host.clone(), *port));
    peers.set_addresses(nodes);
    loop {
        for (id, (host, port)) in (0..).zip(servers) {
            match ask(&peers, id).await {
                Ok(voters) => return voters,
                Err(why) => tracing::warn!("no controllers are known yet: {host}:{port}: {why}"),
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn ask(peers: &Peers, server: i32) -> Result<StaticVoters, String> {
    let partitions = vec![PartitionData { partition_index: 0 }];
    let topics = vec![TopicData { topic_name: "__cluster_metadata".into(), partitions }];
    let request = DescribeQuorumRequest { topics };
    let answer = peers.call(server, Channel::Control, VERSION, &request, TIMEOUT).await;
    let answer = answer.map_err(|error| error.to_string())?;
    let voters = answer.topics.first().and_then(|topic| topic.partitions.first());
    let voters = voters.map_or(&[][..], |partition| &partition.current_voters);
    let is_voter = |id: i32| voters.iter().any(|voter| voter.replica_id == id);
    let nodes = answer.nodes.iter().filter(|node| is_voter(node.node_id));
    let located = nodes.filter_map(|node| {
        let listener = node.listeners.first()?;
        Some((node.node_id, listener.host.to_string(), listener.port))
    });
    let located: Vec<_> = located.collect();
    if located.is_empty() {
        return Err("it names no voters".to_owned());
    }
    Ok(StaticVoters::new(located))
}
