//! `vltava topic`: list, create, describe, change and delete topics.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use client::{Admin, ApiError, ConfigOp, NewTopic, OffsetSpec, TopicDescription, TopicPartition};

use super::cluster::ClusterArgs;
use crate::output::{self, Table};
use crate::properties;

const EXAMPLES: &str = "\
Examples:
  vltava topic list
  vltava topic create lines -p 3 --config retention.ms=86400000
  vltava topic describe lines
  vltava topic alter lines -p 6 --config cleanup.policy=compact --reset retention.ms
  vltava topic delete lines";

/// List, create, describe, change and delete topics
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TopicArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(subcommand)]
    command: TopicCommand,
}

#[derive(Debug, Subcommand)]
enum TopicCommand {
    /// List topics
    List {
        /// Also Kafka's own topics, such as __consumer_offsets
        #[arg(long)]
        internal: bool,
    },
    /// Create a topic
    Create(CreateArgs),
    /// Show partitions, offsets and settings
    Describe {
        /// The topic
        topic: String,
    },
    /// Add partitions or change settings
    Alter(AlterArgs),
    /// Delete topics with all their records
    Delete {
        /// The topics
        #[arg(required = true)]
        topics: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// The topic
    topic: String,
    /// Number of partitions; without it the broker's num.partitions
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// Replicas of each partition; without it the broker's default.replication.factor
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
    replicas: Option<i16>,
    /// One of Kafka's topic settings
    #[arg(short, long = "config", value_name = "KEY=VALUE", value_parser = properties::parse_pair)]
    configs: Vec<(String, String)>,
    /// Succeed when the topic is already there
    #[arg(long)]
    if_not_exists: bool,
}

#[derive(Debug, Args)]
struct AlterArgs {
    /// The topic
    topic: String,
    /// New number of partitions; it can only grow
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,
    /// One of Kafka's topic settings
    #[arg(short, long = "config", value_name = "KEY=VALUE", value_parser = properties::parse_pair)]
    configs: Vec<(String, String)>,
    /// A setting that goes back to its default
    #[arg(long = "reset", value_name = "KEY")]
    resets: Vec<String>,
}

pub(crate) async fn run(args: TopicArgs) -> anyhow::Result<ExitCode> {
    let admin = args.cluster.client()?.admin();
    match args.command {
        TopicCommand::List { internal } => list(&admin, internal).await?,
        TopicCommand::Create(args) => create(&admin, args).await?,
        TopicCommand::Describe { topic } => describe(&admin, &topic).await?,
        TopicCommand::Alter(args) => alter(&admin, args).await?,
        TopicCommand::Delete { topics } => report(admin.delete_topics(&topics).await?, "delete")?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(admin: &Admin, internal: bool) -> anyhow::Result<()> {
    let mut topics = admin.list_topics().await?;
    topics.retain(|topic| internal || !topic.is_internal);
    let names: Vec<String> = topics.into_iter().map(|topic| topic.name).collect();
    let mut table = Table::new(["TOPIC", "PARTITIONS", "REPLICAS"]);
    for topic in admin.describe_topics(&names).await? {
        let replicas = topic.partitions.first().map_or(0, |partition| partition.replicas.len());
        table.row([topic.name, topic.partitions.len().to_string(), replicas.to_string()]);
    }
    table.print(&mut output::stdout())?;
    Ok(())
}

async fn create(admin: &Admin, args: CreateArgs) -> anyhow::Result<()> {
    let topic = NewTopic {
        name: args.topic,
        partitions: args.partitions.unwrap_or(-1),
        replication_factor: args.replicas.unwrap_or(-1),
        configs: args.configs.into_iter().collect::<BTreeMap<_, _>>(),
    };
    let mut results = admin.create_topics(vec![topic]).await?;
    if args.if_not_exists {
        results.retain(|(_, result)| {
            !matches!(result, Err(error) if error.code == protocol::ErrorCode::TOPIC_ALREADY_EXISTS)
        });
    }
    report(results, "create")
}

async fn alter(admin: &Admin, args: AlterArgs) -> anyhow::Result<()> {
    if args.partitions.is_none() && args.configs.is_empty() && args.resets.is_empty() {
        bail!("nothing to change; give --partitions, --config or --reset");
    }
    if let Some(total) = args.partitions {
        report(admin.create_partitions(&[(args.topic.clone(), total)]).await?, "grow")?;
    }
    let sets = args.configs.into_iter().map(|(key, value)| (key, ConfigOp::Set(value)));
    let ops: Vec<_> =
        sets.chain(args.resets.into_iter().map(|key| (key, ConfigOp::Delete))).collect();
    if !ops.is_empty() {
        let wrong = || format!("cannot change topic '{}'", args.topic);
        admin.alter_topic_configs(&args.topic, ops).await.with_context(wrong)?;
    }
    Ok(())
}

/// The first refusal as an error.
fn report(results: Vec<(String, Result<(), ApiError>)>, verb: &str) -> anyhow::Result<()> {
    for (topic, result) in results {
        result.with_context(|| format!("cannot {verb} topic '{topic}'"))?;
    }
    Ok(())
}

async fn describe(admin: &Admin, topic: &str) -> anyhow::Result<()> {
    let names = [topic.to_owned()];
    let wrong = || format!("cannot describe topic '{topic}'");
    let found = admin.describe_topics(&names).await.with_context(wrong)?;
    let found = found.into_iter().next().with_context(wrong)?;
    if let Some(error) = found.error.clone() {
        return Err(error).with_context(wrong);
    }
    let offsets = offsets(admin, topic, &found).await.with_context(wrong)?;
    let configs = admin.describe_topic_configs(&names).await.with_context(wrong)?;
    let mut out = output::stdout();
    writeln!(out, "topic {topic}  id {}", found.topic_id)?;
    let mut table = Table::new(["PARTITION", "LEADER", "REPLICAS", "IN-SYNC", "START", "END"]);
    for partition in &found.partitions {
        let (start, end) = offsets.get(&partition.id).copied().unwrap_or_default();
        let ids = |ids: &[i32]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        table.row([
            partition.id.to_string(),
            partition.leader.to_string(),
            ids(&partition.replicas),
            ids(&partition.isr),
            start.to_string(),
            end.to_string(),
        ]);
    }
    table.print(&mut out)?;
    let mut set = Table::new(["SETTING", "VALUE"]);
    let mut any = false;
    for (_, configs) in configs {
        for entry in configs.with_context(wrong)?.into_iter().filter(|entry| !entry.is_default) {
            any = true;
            set.row([entry.name, entry.value.unwrap_or_else(|| "(secret)".to_owned())]);
        }
    }
    if any {
        set.print(&mut out)?;
    }
    out.flush()?;
    Ok(())
}

/// First and next offset by partition.
async fn offsets(
    admin: &Admin,
    topic: &str,
    found: &TopicDescription,
) -> anyhow::Result<BTreeMap<i32, (i64, i64)>> {
    let ask = |spec: OffsetSpec| -> Vec<(TopicPartition, OffsetSpec)> {
        found
            .partitions
            .iter()
            .map(|p| (TopicPartition::new(topic.to_owned(), p.id), spec))
            .collect()
    };
    let mut offsets: BTreeMap<i32, (i64, i64)> = BTreeMap::new();
    for (partition, listed) in admin.list_offsets(&ask(OffsetSpec::Earliest)).await {
        offsets.entry(partition.partition).or_default().0 = listed?.offset;
    }
    for (partition, listed) in admin.list_offsets(&ask(OffsetSpec::Latest)).await {
        offsets.entry(partition.partition).or_default().1 = listed?.offset;
    }
    Ok(offsets)
}
