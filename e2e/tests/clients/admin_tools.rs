//! Promise: Kafka's own administrative tools work against a cluster of three brokers.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::vltava::{self, Server};
use e2e::wait;

use crate::java::Tools;

const DEADLINE: Duration = Duration::from_secs(90);

struct Cluster {
    _server: Server,
    tools: Tools,
    /// Of the second broker.
    metrics: std::net::SocketAddr,
    folder: tempfile::TempDir,
}

impl Cluster {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // Three ports that follow each other: somewhere above a free one they usually are.
        let first = vltava::free_address()?;
        let port = first.port().min(60_000);
        let mut command = vltava::command(["up", "--brokers", "3"])?;
        command.arg("--data-dir").arg(folder.path().join("data"));
        command.args(["--kafka-port", &port.to_string(), "--connect-port", "0"]);
        let admin_port = vltava::free_address()?.port().min(60_000);
        command.args(["--admin-port", &admin_port.to_string()]);
        let address = std::net::SocketAddr::new(first.ip(), port);
        let server = Server::start(command, &folder.path().join("up.log"))?.listens_on(address)?;
        let metrics = std::net::SocketAddr::new(first.ip(), admin_port + 1);
        Ok(Self { _server: server, tools: Tools::from_environment(address)?, metrics, folder })
    }

    fn file(&self, name: &str, text: &str) -> Result<String> {
        let path = self.folder.path().join(name);
        fs::write(&path, text)?;
        Ok(path.display().to_string())
    }

    /// A counter of the second broker.
    fn counter(&self, name: &str) -> Result<u64> {
        let mut stream = TcpStream::connect(self.metrics)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        Ok(value.with_context(|| format!("no {name} in {text}"))?.trim().parse()?)
    }

    fn describe(&self, topic: &str) -> Result<String> {
        self.tools.run("TopicCommand", &["--describe", "--topic", topic])
    }
}

/// Runs the tools one after the other: each takes a second to start, and they share one cluster.
#[test]
fn kafkas_tools_administer_three_brokers() -> Result<()> {
    let cluster = Cluster::start()?;
    topics(&cluster).context("kafka-topics")?;
    quorum(&cluster).context("kafka-metadata-quorum")?;
    features(&cluster).context("kafka-features")?;
    ids(&cluster).context("kafka-cluster")?;
    reassign(&cluster).context("kafka-reassign-partitions")?;
    throttled(&cluster).context("kafka-reassign-partitions --throttle")?;
    elect(&cluster).context("kafka-leader-election")
}

fn topics(cluster: &Cluster) -> Result<()> {
    let create = ["--create", "--topic", "t", "--replica-assignment", "0:1,1:2"];
    // The first broker may be there before the others.
    wait::until("three brokers", DEADLINE, || cluster.tools.run("TopicCommand", &create))?;
    let described = cluster.describe("t")?;
    ensure!(described.contains("ReplicationFactor: 2"), "{described}");
    ensure!(described.contains("Replicas: 1,2\tIsr: 1,2"), "{described}");
    let under =
        cluster.tools.run("TopicCommand", &["--describe", "--under-replicated-partitions"])?;
    ensure!(under.trim().is_empty(), "under-replicated: {under}");
    Ok(())
}

fn quorum(cluster: &Cluster) -> Result<()> {
    let class = "MetadataQuorumCommand";
    let status = cluster.tools.run(class, &["describe", "--status"])?;
    ensure!(status.contains("LeaderEpoch") && status.contains("CurrentVoters"), "{status}");
    let replication = cluster.tools.run(class, &["describe", "--replication"])?;
    ensure!(replication.matches("Follower").count() == 2, "{replication}");
    ensure!(replication.matches("Leader").count() >= 1, "{replication}");
    Ok(())
}

fn features(cluster: &Cluster) -> Result<()> {
    let described = cluster.tools.run("FeatureCommand", &["describe"])?;
    ensure!(described.contains("metadata.version"), "{described}");
    let name = "metadata.version=26";
    let lower = ["downgrade", "--feature", name];
    cluster.tools.run("FeatureCommand", &lower)?;
    let described = cluster.tools.run("FeatureCommand", &["describe"])?;
    ensure!(described.contains("FinalizedVersionLevel: 4.1-IV0"), "{described}");
    cluster.tools.run("FeatureCommand", &["upgrade", "--feature", "metadata.version=30"])?;
    Ok(())
}

fn ids(cluster: &Cluster) -> Result<()> {
    let id = cluster.tools.run("ClusterTool", &["cluster-id"])?;
    ensure!(id.contains("Cluster ID: "), "{id}");
    let refused = cluster.tools.try_run("ClusterTool", &["unregister", "--id", "77"])?;
    ensure!(refused.contains("not") && refused.contains("77"), "{refused}");
    Ok(())
}

fn reassign(cluster: &Cluster) -> Result<()> {
    let plan = r#"{"version":1,"partitions":[
        {"topic":"t","partition":0,"replicas":[2,1]},{"topic":"t","partition":1,"replicas":[0,1,2]}]}"#;
    let plan = cluster.file("plan.json", plan)?;
    let class = "reassign.ReassignPartitionsCommand";
    cluster.tools.run(class, &["--reassignment-json-file", &plan, "--execute"])?;
    wait::until("the reassignment to be complete", DEADLINE, || {
        let verified =
            cluster.tools.run(class, &["--reassignment-json-file", &plan, "--verify"])?;
        ensure!(verified.matches("is completed").count() == 2, "{verified}");
        Ok(())
    })?;
    let none = cluster.tools.run(class, &["--list"])?;
    ensure!(none.contains("No partition reassignments found"), "{none}");
    let described = cluster.describe("t")?;
    ensure!(described.contains("Replicas: 2,1"), "{described}");
    ensure!(described.contains("Replicas: 0,1,2"), "{described}");
    Ok(())
}

/// Everything that a throttled move copies goes through the throttle, which `--verify` takes away at the end.
fn throttled(cluster: &Cluster) -> Result<()> {
    const RECORDS: u64 = 400;
    const RECORD_BYTES: u64 = 1_000;
    let create = ["--create", "--topic", "moved", "--replica-assignment", "0:2"];
    cluster.tools.run("TopicCommand", &create)?;
    let (records, bytes) = (RECORDS.to_string(), RECORD_BYTES.to_string());
    let load = ["--topic", "moved", "--num-records", &records, "--record-size", &bytes];
    let load = [&load[..], &["--throughput", "-1"]].concat();
    let sent = cluster.tools.run("ProducerPerformance", &load)?;
    ensure!(sent.contains(&format!("{RECORDS} records sent")), "{sent}");
    let name = "vltava_broker_throttled_replication_bytes_in_total";
    ensure!(cluster.counter(name)? == 0, "moves before were not throttled");
    let plan = r#"{"version":1,"partitions":[{"topic":"moved","partition":0,"replicas":[0,1]}]}"#;
    let plan = cluster.file("throttled.json", plan)?;
    let class = "reassign.ReassignPartitionsCommand";
    let file = ["--reassignment-json-file", &plan];
    let execute = [&file[..], &["--execute", "--throttle", "100000"]].concat();
    let said = cluster.tools.run(class, &execute)?;
    ensure!(said.contains("100000 B/s"), "{said}");
    wait::until("the throttled move to be complete", DEADLINE, || {
        let verified = cluster.tools.run(class, &[&file[..], &["--verify"]].concat())?;
        ensure!(verified.contains("is completed"), "{verified}");
        ensure!(verified.contains("Clearing broker-level throttles"), "{verified}");
        Ok(())
    })?;
    let moved = cluster.counter(name)?;
    ensure!(moved >= RECORDS * RECORD_BYTES, "{moved} bytes were throttled");
    let described = cluster.describe("moved")?;
    ensure!(!described.contains("throttled"), "{described}");
    Ok(())
}

fn elect(cluster: &Cluster) -> Result<()> {
    let class = "LeaderElectionCommand";
    let args = ["--election-type", "preferred", "--all-topic-partitions"];
    cluster.tools.run(class, &args)?;
    let described = cluster.describe("t")?;
    ensure!(described.contains("Leader: 2\tReplicas: 2,1"), "{described}");
    ensure!(described.contains("Leader: 0\tReplicas: 0,1,2"), "{described}");
    let again = ["--election-type", "preferred", "--topic", "t", "--partition", "0"];
    let again = cluster.tools.run(class, &again)?;
    ensure!(again.contains("already elected") || again.contains("Valid replica"), "{again}");
    Ok(())
}
