//! Several brokers in one process, over real sockets and disks.

use std::net::{Ipv4Addr, SocketAddr};

use broker::{Broker, BrokerConfig, BrokerHandle};
use client::{Client, ClientConfig};
use tempfile::TempDir;

use crate::support::own_addresses;

const RACK_AWARE: &str = "org.apache.kafka.common.replica.RackAwareReplicaSelector";

/// So many brokers vote at the beginning.
const VOTERS: usize = 3;

/// Brokers that were started together.
pub(crate) struct Cluster {
    dirs: Vec<TempDir>,
    pub(crate) addrs: Vec<SocketAddr>,
    pub(crate) brokers: Vec<Option<BrokerHandle>>,
}

impl Cluster {
    pub(crate) async fn start(brokers: usize) -> Self {
        let addrs = own_addresses(brokers);
        let dirs = (0..brokers).map(|_| TempDir::new().unwrap()).collect();
        let mut cluster = Self { dirs, addrs, brokers: Vec::new() };
        for id in 0..brokers {
            let broker = cluster.boot(id).await;
            cluster.brokers.push(Some(broker));
        }
        for broker in cluster.brokers.iter().flatten() {
            broker.ready().await.unwrap();
        }
        cluster
    }

    pub(crate) async fn boot(&self, id: usize) -> BrokerHandle {
        // As an operator does it: those that began the cluster are named for ever.
        let first = self.addrs.iter().take(VOTERS).enumerate();
        let voters = first.map(|(id, addr)| format!("{id}@{addr}"));
        let voters = voters.collect::<Vec<_>>().join(",");
        let mut config = BrokerConfig::local(self.dirs[id].path())
            .with("controller.quorum.voters", &voters)
            .with("min.insync.replicas", "2")
            .with("default.replication.factor", "3")
            .with("offsets.topic.num.partitions", "3")
            .with("group.initial.rebalance.delay.ms", "0")
            .with("broker.session.timeout.ms", "2000")
            .with("broker.heartbeat.interval.ms", "200")
            .with("replica.lag.time.max.ms", "3000")
            .with("broker.rack", &format!("rack-{id}"))
            .with("replica.selector.class", RACK_AWARE);
        config.node_id = id as i32;
        config.cluster_id = Some("three".to_owned());
        config.listen = self.addrs[id];
        config.admin_listen = Some((Ipv4Addr::LOCALHOST, 0).into());
        Broker::start(config).await.unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        let servers = self.addrs.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        Client::new(ClientConfig::new(&servers))
    }

    pub(crate) async fn stop(&mut self, id: usize) {
        self.brokers[id].take().unwrap().shutdown().await.unwrap();
    }

    pub(crate) async fn kill(&mut self, id: usize) {
        self.brokers[id].take().unwrap().abort().await;
    }

    /// What a broker that does not run had on its disk is gone.
    pub(crate) fn lose_disk(&mut self, id: usize) {
        assert!(self.brokers[id].is_none(), "it runs");
        self.dirs[id] = TempDir::new().unwrap();
    }

    pub(crate) async fn come_back(&mut self, id: usize) {
        let broker = self.boot(id).await;
        broker.ready().await.unwrap();
        self.brokers[id] = Some(broker);
    }

    pub(crate) async fn end(self) {
        for broker in self.brokers.into_iter().flatten() {
            broker.abort().await;
        }
    }
}
