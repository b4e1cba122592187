//! Promise: every Kafka client works unmodified.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use e2e::vltava;

use crate::client::{self, CODECS, Client, Record};

const PARTITIONS: &str = "3";

fn create_topic(broker: SocketAddr, topic: &str) -> Result<()> {
    let broker = broker.to_string();
    vltava::run(&["topic", "create", topic, "-p", PARTITIONS, "--bootstrap", &broker], "").map(drop)
}

/// Values by key, in the order in which they came: Kafka keeps order for each key.
fn by_key(records: &[Record]) -> BTreeMap<&str, Vec<&str>> {
    let mut map = BTreeMap::<&str, Vec<&str>>::new();
    for (key, value) in records {
        map.entry(key).or_default().push(value);
    }
    map
}

fn ensure_same(written: &[Record], read: &[Record]) -> Result<()> {
    ensure!(written.len() == read.len(), "wrote {}, read {}", written.len(), read.len());
    let (written, read) = (by_key(written), by_key(read));
    for (key, values) in &written {
        let found = read.get(key).with_context(|| format!("{key} was lost"))?;
        ensure!(values == found, "{key}: wrote {values:?}, read {found:?}");
    }
    Ok(())
}

#[test]
fn each_client_produces_with_every_codec_and_consumes_in_a_group_that_remembers() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (server, broker) = vltava::broker(dir.path())?;
    for client in client::all()? {
        produce_and_consume(&*client, broker)
            .with_context(|| format!("{}\n{}", client.name(), server.log()))?;
    }
    server.terminate()
}

fn produce_and_consume(client: &dyn Client, broker: SocketAddr) -> Result<()> {
    const EACH: usize = 200;
    let (topic, group) = (format!("by-{}", client.name()), format!("group-{}", client.name()));
    create_topic(broker, &topic)?;
    let mut written = Vec::new();
    for codec in CODECS {
        let records = client::records(codec, EACH);
        client.produce(broker, &topic, codec, &records).context(codec)?;
        written.extend(records);
    }
    let read = client.consume(broker, &topic, &group, written.len())?;
    ensure_same(&written, &read)?;

    // The group goes on where it was: what comes now is what is new, and nothing else.
    let more = client::records("more", 10);
    client.produce(broker, &topic, "none", &more)?;
    let read = client.consume(broker, &topic, &group, more.len())?;
    ensure_same(&more, &read).context("after the group came back")
}

#[test]
fn each_client_reads_what_the_others_wrote() -> Result<()> {
    const EACH: usize = 100;
    let dir = tempfile::tempdir()?;
    let (server, broker) = vltava::broker(dir.path())?;
    let clients = client::all()?;
    create_topic(broker, "shared")?;
    let mut written = Vec::new();
    for (client, codec) in clients.iter().zip(["zstd", "lz4", "snappy"]) {
        let records = client::records(client.name(), EACH);
        client.produce(broker, "shared", codec, &records)?;
        written.extend(records);
    }
    for client in &clients {
        let group = format!("reader-{}", client.name());
        let read = client.consume(broker, "shared", &group, written.len())?;
        // Clients may choose partitions differently, so order is only kept within each writer's records.
        for writer in &clients {
            let of_writer = |records: &[Record]| -> Vec<Record> {
                let prefix = format!("{}-", writer.name());
                records.iter().filter(|(_, value)| value.starts_with(&prefix)).cloned().collect()
            };
            ensure_same(&of_writer(&written), &of_writer(&read)).with_context(|| {
                format!("{} reading {}\n{}", client.name(), writer.name(), server.log())
            })?;
        }
    }
    server.terminate()
}
