//! Bugs of the controller made on purpose, to see that the simulation finds them.

/// A known way to be wrong. Only there with the feature `planted`, and only when a test asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// A broker that comes back with another disk counts as if it had lost nothing.
    EmptyDiskInSync,
    /// A broker that comes back with an old copy of its disk counts as if it had lost nothing.
    OldDiskInSync,
    /// A leader that registers again leads on under its old epoch.
    NoNewEpoch,
    /// A replica joins the ISR whatever registration its leader has seen (KIP-903).
    BrokerEpochIgnored,
    /// A leader's proposal counts although the partition has changed since.
    PartitionEpochIgnored,
    /// The new replicas of a reassignment are taken for in sync.
    ReassignedBeforeInSync,
    /// Any live replica may lead.
    AnybodyLeads,
    /// Silent brokers are never fenced.
    NeverFences,
    /// A leader's proposal for a topic that was deleted counts for another one that it leads.
    TopicIdIgnored,
}

impl Planted {
    /// All of them.
    pub const ALL: [Planted; 9] = [
        Planted::EmptyDiskInSync,
        Planted::OldDiskInSync,
        Planted::NoNewEpoch,
        Planted::BrokerEpochIgnored,
        Planted::PartitionEpochIgnored,
        Planted::ReassignedBeforeInSync,
        Planted::AnybodyLeads,
        Planted::NeverFences,
        Planted::TopicIdIgnored,
    ];
}

impl super::Controller {
    /// Makes a known mistake from here on.
    pub fn plant(&mut self, planted: Option<Planted>) {
        self.planted = planted;
    }

    pub(super) fn has(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }
}
