//! `vltava consume`: records as lines of standard output.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use client::{
    AutoOffsetReset, Client, Consumer, ConsumerConfig, ConsumerRecord, OffsetSpec, TopicPartition,
};
use tokio_util::sync::CancellationToken;

use super::cluster::ClusterArgs;
use crate::format::Format;
use crate::{output, shutdown};

/// Longest wait in one poll, so that a signal is heard.
const POLL: Duration = Duration::from_millis(250);

const EXAMPLES: &str = "\
Examples:
  vltava consume lines                                   what comes from now on; Ctrl-C ends
  vltava consume lines --from-beginning --exit           what is there, then end
  vltava consume word-counts --from-beginning --keys --value-format long
  vltava consume lines --group readers --max 10          as member of a group, offsets are kept";

/// Read records, one a line of standard output
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConsumeArgs {
    /// The topics
    #[arg(required = true)]
    topics: Vec<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Read as member of this group, which keeps offsets
    #[arg(short, long, value_name = "GROUP")]
    group: Option<String>,
    /// Begin with the oldest record, where the group has no offset yet
    #[arg(long)]
    from_beginning: bool,
    /// End after so many records
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max: Option<u64>,
    /// End once all records that were there at the start are read
    #[arg(short, long, conflicts_with = "group")]
    exit: bool,
    /// End when no record came for so long
    #[arg(long, value_name = "MILLISECONDS")]
    timeout_ms: Option<u64>,
    /// Write keys too
    #[arg(short, long)]
    keys: bool,
    /// What is written between key and value
    #[arg(long, value_name = "TEXT", default_value = "\t", hide_default_value = true)]
    separator: String,
    /// Type of keys
    #[arg(long, value_enum, default_value = "string", value_name = "FORMAT")]
    key_format: Format,
    /// Type of values
    #[arg(long, value_enum, default_value = "string", value_name = "FORMAT")]
    value_format: Format,
}

pub(crate) async fn run(args: ConsumeArgs) -> anyhow::Result<ExitCode> {
    let stop = shutdown::on_signal()?;
    let client = args.cluster.client()?;
    let reset =
        if args.from_beginning { AutoOffsetReset::Earliest } else { AutoOffsetReset::Latest };
    let config = ConsumerConfig {
        group_id: args.group.clone(),
        auto_offset_reset: reset,
        ..ConsumerConfig::default()
    };
    let consumer = Consumer::new(&client, config);
    let ends = match &args.group {
        Some(_) => {
            consumer.subscribe(args.topics.clone())?;
            BTreeMap::new()
        }
        None => assign_all(&client, &consumer, &args).await?,
    };
    let read = read(&args, &consumer, ends, &stop).await;
    // The group learns of the departure even when the reading failed.
    consumer.close().await;
    read?;
    Ok(ExitCode::SUCCESS)
}

/// Takes every partition, and returns where each ended when asked to stop there.
async fn assign_all(
    client: &Client,
    consumer: &Consumer,
    args: &ConsumeArgs,
) -> anyhow::Result<BTreeMap<TopicPartition, i64>> {
    let admin = client.admin();
    let mut partitions = Vec::new();
    for topic in admin.describe_topics(&args.topics).await? {
        if let Some(error) = topic.error {
            return Err(error).with_context(|| format!("cannot read topic '{}'", topic.name));
        }
        partitions
            .extend(topic.partitions.iter().map(|p| TopicPartition::new(topic.name.clone(), p.id)));
    }
    consumer.assign(partitions.clone());
    if !args.exit {
        return Ok(BTreeMap::new());
    }
    if !args.from_beginning {
        // Nothing that is there now is to be read.
        return Ok(BTreeMap::new());
    }
    let ask = |spec| partitions.iter().map(|p| (p.clone(), spec)).collect::<Vec<_>>();
    let starts = admin.list_offsets(&ask(OffsetSpec::Earliest)).await;
    let ends = admin.list_offsets(&ask(OffsetSpec::Latest)).await;
    let mut left = BTreeMap::new();
    for ((partition, start), (_, end)) in starts.into_iter().zip(ends) {
        let (start, end) = (start?.offset, end?.offset);
        if start < end {
            left.insert(partition, end);
        }
    }
    Ok(left)
}

async fn read(
    args: &ConsumeArgs,
    consumer: &Consumer,
    mut ends: BTreeMap<TopicPartition, i64>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut left = args.max.unwrap_or(u64::MAX);
    let mut last_record = Instant::now();
    while !stop.is_cancelled() && left > 0 {
        if args.exit && ends.is_empty() {
            break;
        }
        let records = tokio::select! {
            () = stop.cancelled() => break,
            records = consumer.poll(POLL) => records.context("cannot read")?,
        };
        if records.is_empty() {
            if args.timeout_ms.is_some_and(|ms| last_record.elapsed() >= Duration::from_millis(ms))
            {
                break;
            }
            // The last record before the end may be one that no reader is shown, such as a transaction's marker.
            pass_markers(consumer, &mut ends);
            continue;
        }
        last_record = Instant::now();
        let taken: Vec<_> =
            records.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)).collect();
        left -= taken.len() as u64;
        write(args, &taken)?;
        commit(args, consumer, &taken, &mut ends).await?;
    }
    Ok(())
}

fn pass_markers(consumer: &Consumer, ends: &mut BTreeMap<TopicPartition, i64>) {
    let mut passed = Vec::new();
    for (partition, end) in ends.iter() {
        if consumer.position(partition).is_some_and(|position| position >= *end) {
            passed.push(partition.clone());
        }
    }
    for partition in passed {
        ends.remove(&partition);
    }
}

async fn commit(
    args: &ConsumeArgs,
    consumer: &Consumer,
    records: &[ConsumerRecord],
    ends: &mut BTreeMap<TopicPartition, i64>,
) -> anyhow::Result<()> {
    let mut next: BTreeMap<TopicPartition, i64> = BTreeMap::new();
    for record in records {
        next.insert(TopicPartition::new(record.topic.clone(), record.partition), record.offset + 1);
    }
    ends.retain(|partition, end| next.get(partition).is_none_or(|next| next < end));
    if args.group.is_some() {
        let offsets: Vec<_> = next.into_iter().collect();
        consumer.commit(&offsets).await.context("cannot keep the group's offsets")?;
    }
    Ok(())
}

fn write(args: &ConsumeArgs, records: &[ConsumerRecord]) -> anyhow::Result<()> {
    let mut out = output::stdout();
    for record in records {
        if args.keys {
            write!(out, "{}{}", args.key_format.decode(record.key.as_deref()), args.separator)?;
        }
        writeln!(out, "{}", args.value_format.decode(record.value.as_deref()))?;
    }
    out.flush()?;
    Ok(())
}
