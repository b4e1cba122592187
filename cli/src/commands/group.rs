//! `vltava group`: list, describe and delete consumer groups.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use client::{Admin, OffsetSpec, TopicPartition};

use super::cluster::ClusterArgs;
use crate::output::{self, Table};

const EXAMPLES: &str = "\
Examples:
  vltava group list
  vltava group describe word-count     members, offsets and lag
  vltava group delete readers          an empty group and its offsets";

/// List, describe and delete consumer groups
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GroupArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(subcommand)]
    command: GroupCommand,
}

#[derive(Debug, Subcommand)]
enum GroupCommand {
    /// List groups
    List,
    /// Show members, offsets and lag
    Describe {
        /// The group
        group: String,
    },
    /// Delete a group without members, and its offsets
    Delete {
        /// The group
        group: String,
    },
}

pub(crate) async fn run(args: GroupArgs) -> anyhow::Result<ExitCode> {
    let admin = args.cluster.client()?.admin();
    match args.command {
        GroupCommand::List => list(&admin).await?,
        GroupCommand::Describe { group } => {
            describe(&admin, &group)
                .await
                .with_context(|| format!("cannot describe group '{group}'"))?;
        }
        GroupCommand::Delete { group } => {
            admin
                .delete_group(&group)
                .await
                .with_context(|| format!("cannot delete group '{group}'"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(admin: &Admin) -> anyhow::Result<()> {
    let mut groups = admin.list_groups().await?;
    groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
    let mut table = Table::new(["GROUP", "TYPE", "STATE"]);
    for group in groups {
        table.row([
            group.group_id.to_string(),
            group.protocol_type.to_string(),
            group.state.to_string(),
        ]);
    }
    table.print(&mut output::stdout())?;
    Ok(())
}

async fn describe(admin: &Admin, group: &str) -> anyhow::Result<()> {
    let found = admin.describe_group(group).await?;
    let committed = admin.committed_offsets(group).await?;
    let asked: Vec<_> = committed.keys().map(|p| (p.clone(), OffsetSpec::Latest)).collect();
    let mut ends: BTreeMap<TopicPartition, i64> = BTreeMap::new();
    for (partition, listed) in admin.list_offsets(&asked).await {
        ends.insert(partition, listed?.offset);
    }
    let mut out = output::stdout();
    writeln!(out, "group {group}  state {}  {} members", found.state, found.members.len())?;
    if !found.members.is_empty() {
        let mut members = Table::new(["MEMBER", "CLIENT", "HOST"]);
        for member in &found.members {
            members.row([
                member.member_id.to_string(),
                member.client_id.to_string(),
                member.client_host.to_string(),
            ]);
        }
        members.print(&mut out)?;
    }
    if !committed.is_empty() {
        let mut offsets = Table::new(["TOPIC", "PARTITION", "OFFSET", "END", "LAG"]);
        for (partition, offset) in &committed {
            let end = ends.get(partition).copied().unwrap_or(*offset);
            offsets.row([
                partition.topic.to_string(),
                partition.partition.to_string(),
                offset.to_string(),
                end.to_string(),
                (end - offset).max(0).to_string(),
            ]);
        }
        offsets.print(&mut out)?;
    }
    out.flush()?;
    Ok(())
}
