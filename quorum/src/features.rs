//! Features whose levels the cluster agrees on (KIP-584): what this version supports.

/// One feature, as Kafka names and numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// Kafka's name.
    pub name: &'static str,
    /// Lowest level that this version can work at.
    pub min: i16,
    /// Highest level; new clusters begin with it.
    pub max: i16,
    /// Whether a cluster can be without it (level 0).
    pub may_be_off: bool,
}

/// All that are supported. Clients decide by some of them what they use, so a level is listed once what it promises works.
pub const SUPPORTED: &[Feature] = &[
    // 25 is 4.0-IV3, 30 is 4.3-IV0: what brokers tell each other did not change in between, as far as we use it.
    Feature { name: "metadata.version", min: 25, max: 30, may_be_off: false },
    // Eligible replicas are always kept: they cost nothing, and only add to who may lead without loss.
    Feature { name: "eligible.leader.replicas.version", min: 1, max: 1, may_be_off: false },
];

/// A supported feature by name.
pub fn supported(name: &str) -> Option<&'static Feature> {
    SUPPORTED.iter().find(|feature| feature.name == name)
}
