//! `vltava verify`: whether a cluster keeps what it acknowledges.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use client::{
    AutoOffsetReset, Client, Consumer, ConsumerConfig, NewTopic, OffsetSpec, Producer,
    ProducerConfig, ProducerRecord, TopicPartition,
};
use tokio::sync::mpsc;

use super::cluster::ClusterArgs;
use crate::shutdown;

/// Records that may be without an answer before writing waits.
const MAX_IN_FLIGHT: usize = 10_000;
/// The cluster may be in trouble on purpose: as long as a delivery may take.
const RETRY_TIMEOUT_MS: u32 = 120_000;
/// Keys, so that every partition gets some.
const KEYS: u64 = 101;
/// Reading ends when nothing has come for so long, although more should be there.
const READ_PATIENCE: Duration = Duration::from_secs(60);

const EXAMPLES: &str = "\
Examples:
  vltava verify checked --seconds 60 --rate 500
  vltava verify checked --seconds 600 --create-partitions 6    while brokers are killed

Writes numbered records with acks=all by an idempotent producer, then reads the topic from its \
beginning. What was acknowledged must be there, once, and in order.

Exit codes: 0 all is well; 1 a record was lost, duplicated, out of order or not acknowledged.";

/// Write numbered records and check that the cluster keeps them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VerifyArgs {
    /// The topic; records that others write to it are not looked at
    topic: String,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// How long to write; a signal ends it earlier
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    seconds: u64,
    /// Records a second
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    rate: u64,
    /// Create the topic with so many partitions, if it is missing
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    create_partitions: Option<i32>,
}

pub(crate) async fn run(args: VerifyArgs) -> anyhow::Result<ExitCode> {
    let stop = shutdown::on_signal()?;
    let client = args.cluster.patient_client(RETRY_TIMEOUT_MS)?;
    if let Some(partitions) = args.create_partitions {
        create(&client, &args.topic, partitions).await?;
    }
    // Another run's records in the same topic are told apart by this.
    let run = format!("{:016x}", fastrand::u64(..));
    let written = write(&client, &args, &run, &stop).await?;
    let read = read(&client, &args.topic, &run).await?;
    let report = Report::of(&written, &read);
    writeln!(std::io::stdout().lock(), "{report}")?;
    Ok(if report.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn create(client: &Client, topic: &str, partitions: i32) -> anyhow::Result<()> {
    let wanted = NewTopic::new(topic).with_partitions(partitions);
    for (_, created) in client.admin().create_topics(vec![wanted]).await? {
        match created {
            Err(error) if error.to_string().contains("already exists") => {}
            other => other.with_context(|| format!("cannot create topic '{topic}'"))?,
        }
    }
    Ok(())
}

/// What became of the writes.
#[derive(Debug, Default)]
struct Written {
    sent: u64,
    /// Number → partition and offset that were acknowledged.
    acknowledged: BTreeMap<u64, (i32, i64)>,
    failed: Vec<String>,
    longest_gap: Duration,
}

/// One record's result.
type Outcome = (u64, Result<(i32, i64), String>);

async fn write(
    client: &Client,
    args: &VerifyArgs,
    run: &str,
    stop: &tokio_util::sync::CancellationToken,
) -> anyhow::Result<Written> {
    let producer = Producer::new(client, ProducerConfig::default());
    let (outcomes, mut results) = mpsc::channel::<Outcome>(MAX_IN_FLIGHT);
    let collecting = tokio::spawn(async move {
        let mut written = Written::default();
        let mut last = Instant::now();
        while let Some((number, outcome)) = results.recv().await {
            match outcome {
                Ok(at) => {
                    written.longest_gap = written.longest_gap.max(last.elapsed());
                    last = Instant::now();
                    written.acknowledged.insert(number, at);
                }
                Err(why) => written.failed.push(format!("record {number}: {why}")),
            }
        }
        written
    });
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(args.rate)?);
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let mut sent = 0;
    while Instant::now() < end {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => break,
        }
        let key = format!("key-{}", sent % KEYS);
        let record = ProducerRecord::new(args.topic.clone(), format!("{run} {sent}")).with_key(key);
        match producer.send(record).await {
            Ok(delivery) => {
                let (number, outcomes) = (sent, outcomes.clone());
                tokio::spawn(async move {
                    let at = delivery.await.map(|at| (at.partition, at.offset));
                    // The collector goes last.
                    outcomes.send((number, at.map_err(|e| e.to_string()))).await.ok();
                });
            }
            Err(error) => {
                outcomes.send((sent, Err(error.to_string()))).await.ok();
            }
        }
        sent += 1;
    }
    producer.flush().await.ok();
    producer.close().await.ok();
    drop(outcomes);
    Ok(Written { sent, ..collecting.await? })
}

/// Partition → offset and number of this run's records, in the order of reading.
type Read = HashMap<i32, Vec<(i64, u64)>>;

async fn read(client: &Client, topic: &str, run: &str) -> anyhow::Result<Read> {
    let described = client.admin().describe_topics(&[topic.to_owned()]).await?.pop();
    let Some(described) = described else { bail!("topic '{topic}' is gone") };
    let partitions: Vec<TopicPartition> =
        described.partitions.iter().map(|p| TopicPartition::new(topic.to_owned(), p.id)).collect();
    let mut ends = ends(client, &partitions).await?;
    let consumer = Consumer::new(
        client,
        ConsumerConfig { auto_offset_reset: AutoOffsetReset::Earliest, ..Default::default() },
    );
    consumer.assign(partitions);
    let mut found = Read::new();
    let mut news = Instant::now();
    ends.retain(|_, end| *end > 0);
    while !ends.is_empty() {
        let records = consumer.poll(Duration::from_millis(500)).await?;
        if !records.is_empty() {
            news = Instant::now();
        }
        for record in records {
            if ends.get(&record.partition).is_some_and(|end| record.offset + 1 >= *end) {
                ends.remove(&record.partition);
            }
            let text = record.value.as_deref().and_then(|value| std::str::from_utf8(value).ok());
            let number = text.and_then(|text| text.strip_prefix(run)?.trim().parse().ok());
            if let Some(number) = number {
                found.entry(record.partition).or_default().push((record.offset, number));
            }
        }
        if news.elapsed() > READ_PATIENCE {
            bail!("nothing more can be read, although partitions {:?} have more", ends.keys());
        }
    }
    Ok(found)
}

async fn ends(client: &Client, partitions: &[TopicPartition]) -> anyhow::Result<HashMap<i32, i64>> {
    let wanted: Vec<_> = partitions.iter().map(|p| (p.clone(), OffsetSpec::Latest)).collect();
    let mut ends = HashMap::new();
    for (partition, listed) in client.admin().list_offsets(&wanted).await {
        ends.insert(partition.partition, listed?.offset);
    }
    Ok(ends)
}

/// The verdict.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    sent: u64,
    acknowledged: usize,
    failed: usize,
    first_failure: Option<String>,
    lost: Vec<u64>,
    duplicated: Vec<u64>,
    out_of_order: usize,
    longest_gap: Duration,
}

impl Report {
    fn of(written: &Written, read: &Read) -> Self {
        let mut times: HashMap<u64, usize> = HashMap::new();
        let mut out_of_order = 0;
        for records in read.values() {
            let mut last: HashMap<u64, u64> = HashMap::new();
            for (_, number) in records {
                *times.entry(*number).or_default() += 1;
                // Order is promised for what goes to one partition, and so for a key.
                let before = last.insert(number % KEYS, *number);
                out_of_order += usize::from(before.is_some_and(|before| before > *number));
            }
        }
        let is_lost = |number: &&u64| !times.contains_key(number);
        let mut duplicated: Vec<u64> =
            times.iter().filter(|(_, n)| **n > 1).map(|(number, _)| *number).collect();
        duplicated.sort_unstable();
        Self {
            sent: written.sent,
            acknowledged: written.acknowledged.len(),
            failed: written.failed.len(),
            first_failure: written.failed.first().cloned(),
            lost: written.acknowledged.keys().filter(is_lost).copied().collect(),
            duplicated,
            out_of_order,
            longest_gap: written.longest_gap,
        }
    }

    fn is_well(&self) -> bool {
        self.lost.is_empty()
            && self.duplicated.is_empty()
            && self.out_of_order == 0
            && self.failed == 0
            && self.acknowledged > 0
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "sent {} acknowledged {} failed {} lost {} duplicated {} out-of-order {} longest-gap-ms {}",
            self.sent,
            self.acknowledged,
            self.failed,
            self.lost.len(),
            self.duplicated.len(),
            self.out_of_order,
            self.longest_gap.as_millis()
        )?;
        if let Some(why) = &self.first_failure {
            write!(f, "\nfirst failure: {why}")?;
        }
        for (what, numbers) in [("lost", &self.lost), ("duplicated", &self.duplicated)] {
            if let Some(first) = numbers.first() {
                write!(f, "\nfirst {what}: record {first}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_damage_is_seen() {
        let written = |acknowledged: &[u64]| Written {
            sent: 5,
            acknowledged: acknowledged.iter().map(|n| (*n, (0, 0))).collect(),
            ..Written::default()
        };
        let read =
            |numbers: &[u64]| Read::from([(0, (0..).zip(numbers.iter().copied()).collect())]);
        let well = Report::of(&written(&[0, 1, 2]), &read(&[0, 1, 2]));
        assert!(well.is_well(), "{well}");
        assert_eq!(Report::of(&written(&[0, 1]), &read(&[0])).lost, [1]);
        assert_eq!(Report::of(&written(&[0]), &read(&[0, 0])).duplicated, [0]);
        assert_eq!(Report::of(&written(&[0]), &read(&[KEYS, 0])).out_of_order, 1);
        let nothing = Report::of(&written(&[]), &read(&[]));
        assert!(!nothing.is_well(), "nothing written shows nothing");
    }
}
