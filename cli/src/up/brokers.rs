//! The brokers of `vltava up`: one, or several that make a cluster in this process.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use broker::{Broker, BrokerConfig, BrokerHandle};

use super::platform::{PlatformError, Site};

/// Says which brokers the cluster began with: they vote. Brokers that came later only follow.
const VOTERS_FILE: &str = "voters";
/// The most brokers in one process: more only cost memory on a laptop.
pub(crate) const MAX_BROKERS: u16 = 9;

/// Running brokers; the first one is the one that clients are told of.
#[derive(Debug)]
pub(crate) struct Brokers {
    handles: Vec<BrokerHandle>,
}

impl Brokers {
    /// Starts them all and waits until they serve.
    ///
    /// # Errors
    /// The first one that does not start; none is left running then.
    pub(crate) async fn start(
        site: &Site,
        properties: &BTreeMap<String, String>,
    ) -> Result<Self, PlatformError> {
        let failed = |error: String| PlatformError::Broker(error);
        let voters = voters(&site.data_dir, site.brokers).map_err(failed)?;
        let listens = listens(site).map_err(failed)?;
        let shared = Shared::new(site, &listens, voters, properties);
        let mut brokers = Self { handles: Vec::new() };
        for (id, listen) in (0..).zip(&listens) {
            match Broker::start(shared.config(site, id, *listen)).await {
                Ok(handle) => brokers.handles.push(handle),
                Err(error) => {
                    brokers.abandon().await;
                    return Err(failed(error.to_string()));
                }
            }
        }
        for handle in &brokers.handles {
            if let Err(error) = handle.ready().await {
                brokers.abandon().await;
                return Err(failed(error.to_string()));
            }
        }
        Ok(brokers)
    }

    /// Where clients begin.
    pub(crate) fn bootstrap(&self) -> String {
        let addrs = self.handles.iter().map(|handle| handle.addr().to_string());
        addrs.collect::<Vec<_>>().join(",")
    }

    /// Where the first one listens.
    pub(crate) fn addr(&self) -> Option<SocketAddr> {
        self.handles.first().map(BrokerHandle::addr)
    }

    /// Returns when one of them cannot go on, and says why.
    pub(crate) async fn failed(&self) -> String {
        let each = self.handles.iter().map(|handle| Box::pin(handle.failed()));
        futures_util::future::select_all(each).await.0
    }

    /// Stops them all. Nobody is left to give leaderships to, unless there is only one, which has nobody either.
    pub(crate) async fn shutdown(self) {
        let stopping = self.handles.into_iter().map(BrokerHandle::close);
        futures_util::future::join_all(stopping).await.into_iter().for_each(report);
    }

    async fn abandon(self) {
        let ending = self.handles.into_iter().map(BrokerHandle::abort);
        futures_util::future::join_all(ending).await;
    }
}

fn report<E: std::fmt::Display>(stopped: Result<(), E>) {
    if let Err(error) = stopped {
        tracing::warn!("a broker did not stop cleanly: {error}");
    }
}

/// What all brokers are told.
struct Shared {
    cluster_id: String,
    properties: BTreeMap<String, String>,
}

impl Shared {
    fn new(
        site: &Site,
        listens: &[SocketAddr],
        voters: usize,
        properties: &BTreeMap<String, String>,
    ) -> Self {
        let mut properties = properties.clone();
        let begun = cluster_of(&folder(&site.data_dir, 0));
        let cluster_id = begun.unwrap_or_else(BrokerConfig::new_cluster_id);
        if listens.len() == 1 {
            return Self { cluster_id, properties };
        }
        let voters = listens.iter().take(voters).enumerate().map(|(id, at)| format!("{id}@{at}"));
        let voters = voters.collect::<Vec<_>>().join(",");
        properties.insert("controller.quorum.voters".to_owned(), voters);
        let replicas = listens.len().min(3);
        let in_sync = replicas.div_ceil(2);
        for (key, value) in [
            ("default.replication.factor", replicas),
            ("offsets.topic.replication.factor", replicas),
            ("min.insync.replicas", in_sync),
        ] {
            properties.entry(key.to_owned()).or_insert_with(|| value.to_string());
        }
        Self { cluster_id, properties }
    }

    fn config(&self, site: &Site, id: i32, listen: SocketAddr) -> BrokerConfig {
        let admin = site.admin_port.map(|port| match port {
            0 => 0,
            port => port.saturating_add(id as u16),
        });
        let data_dir = folder(&site.data_dir, id);
        BrokerConfig {
            node_id: id,
            cluster_id: Some(self.cluster_id.clone()),
            listen,
            advertised: None,
            admin_listen: admin.map(|port| SocketAddr::new(site.bind, port)),
            data_dir,
            properties: self.properties.clone(),
        }
    }
}

fn folder(data_dir: &Path, id: i32) -> PathBuf {
    // The first one's folder has the name that it had when there could be only one.
    data_dir.join(if id == 0 { "broker".to_owned() } else { format!("broker-{id}") })
}

/// The cluster that a data folder belongs to.
fn cluster_of(data_dir: &Path) -> Option<String> {
    let text = std::fs::read_to_string(data_dir.join("meta.properties")).ok()?;
    let id = text.lines().find_map(|line| line.strip_prefix("cluster.id="))?;
    Some(id.trim().to_owned())
}

/// How many brokers vote: those that the cluster began with.
fn voters(data_dir: &Path, brokers: u16) -> Result<usize, String> {
    let path = data_dir.join(VOTERS_FILE);
    let wrong = |why: String| format!("{}: {why}", path.display());
    let known = match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(|e| wrong(format!("{e}")))?,
        // Before there could be several, nothing was noted.
        Err(_) if cluster_of(&folder(data_dir, 0)).is_some() => 1,
        Err(_) => {
            std::fs::create_dir_all(data_dir).map_err(|e| wrong(e.to_string()))?;
            std::fs::write(&path, brokers.to_string()).map_err(|e| wrong(e.to_string()))?;
            brokers
        }
    };
    if brokers < known {
        return Err(format!(
            "the cluster in {} began with {known} brokers, and each of them votes; \
             start it with --brokers {known} or more",
            data_dir.display()
        ));
    }
    Ok(usize::from(known))
}

/// An address for each broker: consecutive ports, or free ones.
fn listens(site: &Site) -> Result<Vec<SocketAddr>, String> {
    if site.kafka_port != 0 || site.brokers == 1 {
        let port = |i: u16| site.kafka_port.checked_add(i);
        let ports: Option<Vec<u16>> = (0..site.brokers).map(port).collect();
        let ports = ports.ok_or("there are not so many ports behind --kafka-port")?;
        return Ok(ports.into_iter().map(|port| SocketAddr::new(site.bind, port)).collect());
    }
    // Each must know the others' ports before it starts. All are held until the last one is known.
    let any = SocketAddr::new(site.bind, 0);
    let held: Result<Vec<_>, _> = (0..site.brokers).map(|_| TcpListener::bind(any)).collect();
    let held = held.map_err(|e| format!("no free port on {}: {e}", site.bind))?;
    let addrs: Result<Vec<_>, _> = held.iter().map(TcpListener::local_addr).collect();
    addrs.map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_began_the_cluster_vote() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(voters(dir.path(), 3), Ok(3));
        assert_eq!(voters(dir.path(), 5), Ok(3));
        assert!(voters(dir.path(), 1).unwrap_err().contains("--brokers 3"));
        let old = tempfile::tempdir().unwrap();
        std::fs::create_dir(old.path().join("broker")).unwrap();
        std::fs::write(old.path().join("broker/meta.properties"), "cluster.id=x\n").unwrap();
        assert_eq!(voters(old.path(), 3), Ok(1));
    }
}
