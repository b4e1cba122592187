//! What the tests ask of a client.

use std::net::SocketAddr;

use anyhow::Result;

use crate::{java::Java, kcat::Kcat, python::Python};

/// A record as text: keys and values here contain neither tabs nor line ends.
pub(crate) type Record = (String, String);

/// All of Kafka's codecs, and none.
pub(crate) const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

pub(crate) trait Client {
    fn name(&self) -> &'static str;

    /// Writes the records, in order, all acknowledged when it returns.
    fn produce(
        &self,
        broker: SocketAddr,
        topic: &str,
        codec: &str,
        records: &[Record],
    ) -> Result<()>;

    /// Joins the group, reads `count` records (from the group's offsets, or from the beginning if it has
    /// none), commits what it has read and leaves.
    fn consume(
        &self,
        broker: SocketAddr,
        topic: &str,
        group: &str,
        count: usize,
    ) -> Result<Vec<Record>>;
}

pub(crate) fn all() -> Result<Vec<Box<dyn Client>>> {
    Ok(vec![
        Box::new(Kcat),
        Box::new(Java::from_environment()?),
        Box::new(Python::from_environment()?),
    ])
}

/// Records with keys that come again, numbered so that their order can be checked.
pub(crate) fn records(label: &str, count: usize) -> Vec<Record> {
    const KEYS: usize = 17;
    (0..count).map(|i| (format!("key-{}", i % KEYS), format!("{label}-{i}"))).collect()
}

/// One record a line, as all three clients read and write them.
pub(crate) fn to_lines(records: &[Record]) -> String {
    records.iter().map(|(key, value)| format!("{key}\t{value}\n")).collect()
}

pub(crate) fn from_lines(text: &str) -> Vec<Record> {
    text.lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
