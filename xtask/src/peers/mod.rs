//! Software of others that Vltava is tested with, or measured against: installed from its language's
//! own registry into the cache, by version.

pub(crate) mod kafka;
pub(crate) mod python;

use crate::packages::Need;

/// What the installers here, and the clients themselves, need.
pub(crate) const NEEDS: &[Need] = &[
    Need::debian("kcat", "kcat", "one of the clients under test"),
    Need::debian("java", "default-jre-headless", "Kafka's own clients"),
    Need::debian("mvn", "maven", "fetching Kafka's own clients"),
    Need::debian("python3", "python3", "kafka-python"),
];
