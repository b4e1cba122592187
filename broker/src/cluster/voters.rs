//! Who votes in the metadata quorum: `controller.quorum.voters`.

use protocol::Uuid;
use quorum::raft::Voter;
use thiserror::Error;

use crate::config::Configs;

const KEY: &str = "controller.quorum.voters";

/// The voters that a new cluster begins with, and where they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct StaticVoters {
    /// Node id, host, port.
    nodes: Vec<(i32, String, u16)>,
}

/// The config cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "controller.quorum.voters: `{0}` is not of the form id@host:port; list every voter so, separated by commas"
)]
pub struct VotersError(String);

impl StaticVoters {
    /// Reads the config. Without it this node is the only voter.
    ///
    /// # Errors
    /// An entry that is not `id@host:port`, or an id that is there twice.
    pub(crate) fn of(configs: &Configs) -> Result<Self, VotersError> {
        Self::parse(&configs.static_text(KEY))
    }

    /// These: node id, host, port.
    pub(crate) fn new(nodes: Vec<(i32, String, u16)>) -> Self {
        Self { nodes }
    }

    fn parse(text: &str) -> Result<Self, VotersError> {
        let mut nodes: Vec<(i32, String, u16)> = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let node = entry_of(entry).ok_or_else(|| VotersError(entry.to_owned()))?;
            if nodes.iter().any(|(id, ..)| *id == node.0) {
                return Err(VotersError(entry.to_owned()));
            }
            nodes.push(node);
        }
        Ok(Self { nodes })
    }

    /// Whether this node is the only voter: it needs nobody to begin.
    pub(crate) fn is_only(&self, node_id: i32) -> bool {
        self.nodes.iter().all(|(id, ..)| *id == node_id)
    }

    /// The voters for the quorum; their data folders are not known before they have spoken.
    pub(crate) fn voters(&self, node_id: i32, directory_id: Uuid) -> Vec<Voter> {
        let own = |id: i32| if id == node_id { directory_id } else { Uuid::ZERO };
        if self.nodes.is_empty() {
            return vec![Voter { id: node_id, directory_id }];
        }
        self.nodes.iter().map(|(id, ..)| Voter { id: *id, directory_id: own(*id) }).collect()
    }

    /// Where they are.
    pub(crate) fn addresses(&self) -> &[(i32, String, u16)] {
        &self.nodes
    }
}

fn entry_of(entry: &str) -> Option<(i32, String, u16)> {
    let (id, address) = entry.split_once('@')?;
    let (host, port) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let id = id.parse().ok().filter(|id| *id >= 0)?;
    (!host.is_empty()).then_some((id, host.to_owned(), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voters_are_read_and_bad_ones_are_named() {
        let voters = StaticVoters::parse("0@a:9092, 1@[::1]:9093").unwrap();
        assert_eq!(voters.addresses(), [(0, "a".into(), 9092), (1, "::1".into(), 9093)]);
        assert!(!voters.is_only(0));
        let alone = StaticVoters::parse("").unwrap();
        assert!(alone.is_only(7));
        for bad in ["a:9092", "0@a", "0@:1", "-1@a:1", "0@a:1,0@b:1", "0@a:99999"] {
            assert!(StaticVoters::parse(bad).is_err(), "{bad}");
        }
    }
}
