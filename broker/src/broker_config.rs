//! How a broker is started.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use quorum::controller::Entropy;

use crate::entropy::SystemEntropy;

/// What the command line, a pod or a test gives to [`crate::Broker::start`].
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// This broker's id in the cluster, from 0.
    pub node_id: i32,
    /// The cluster that the data folder must belong to; `None` takes the folder's own, or makes one up.
    pub cluster_id: Option<String>,
    /// Where Kafka clients connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Host and port that clients are told; `None` tells the address listened on.
    pub advertised: Option<(String, u16)>,
    /// Where probes and metrics are served; `None` serves none.
    pub admin_listen: Option<SocketAddr>,
    /// Logs and metadata. Made if missing.
    pub data_dir: PathBuf,
    /// Kafka's broker config keys and values, as in `server.properties`.
    pub properties: BTreeMap<String, String>,
}

impl BrokerConfig {
    /// A broker on a free port of 127.0.0.1, with everything else as shipped.
    pub fn local(data_dir: impl Into<PathBuf>) -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            node_id: 0,
            cluster_id: None,
            listen: any_port,
            advertised: None,
            admin_listen: None,
            data_dir: data_dir.into(),
            properties: BTreeMap::new(),
        }
    }

    /// An id for a new cluster: 22 characters, different each time.
    pub fn new_cluster_id() -> String {
        SystemEntropy.uuid().to_string()
    }

    /// The same with one more property.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.properties.insert(key.to_owned(), value.to_owned());
        self
    }
}
