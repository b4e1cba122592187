//! Before a session: topics that others must have made are waited for, internal topics are made, ids are learned.

use super::status::{StatusBoard, WorkerState};
use crate::topology::{InternalTopicKind, Topic, Topology};
use client::{Admin, ClientError, NewTopic, TopicDescription};
use protocol::{ErrorCode, Str, Uuid};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// First and longest pause between two looks for missing topics.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a session knows of the cluster.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub topic_ids: Arc<BTreeMap<Str, Uuid>>,
    /// Partitions of every topic that tasks read.
    pub inputs: BTreeMap<Str, i32>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("topic `{topic}` cannot be made: {error}")]
    Create { topic: String, error: client::ApiError },
    #[error(
        "the changelog `{topic}` has {found} partitions and the app needs {wanted}, because a topic it reads was \
         grown: state cannot be shared out anew; use another applicationId"
    )]
    Changelog { topic: String, found: i32, wanted: i32 },
    #[error(
        "the topics {topics} are processed together with one state and have different numbers of partitions: give \
         them the same number"
    )]
    Copartition { topics: String },
    #[error("internal topic `{0}` was made but is not there yet")]
    NotThereYet(String),
}

/// Waits and makes until everything is there.
pub(super) async fn prepare(
    admin: &Admin,
    topology: &Topology,
    application_id: &str,
    board: &StatusBoard,
) -> Result<Plan, PlanError> {
    let mut known = wait_for_topics(admin, topology, board).await?;
    board.set_state(WorkerState::Created, Some("making internal topics".to_owned()));
    let wanted = internal_topics(topology, application_id, &known)?;
    let mut missing: Vec<NewTopic> = make_internal(admin, &wanted, &mut known).await?;
    if let Some(topic) = topology.dead_letter_topic() {
        let described = admin.describe_topics(&[topic.to_string()]).await?;
        let there = described.iter().all(|topic| topic.error.is_none());
        missing.extend((!there).then(|| NewTopic::new(topic.to_string())));
    }
    let names: Vec<String> = missing.iter().map(|topic| topic.name.clone()).collect();
    create(admin, missing).await?;
    describe_made(admin, &names, &mut known).await?;
    for topic in &wanted {
        check_partitions(topic, &known)?;
    }
    let inputs = topology
        .input_topics(application_id)
        .into_iter()
        .filter_map(|name| known.get(&name).map(|(_, partitions)| (name.clone(), *partitions)))
        .collect();
    let topic_ids = known.into_iter().map(|(name, (id, _))| (name, id)).collect();
    Ok(Plan { topic_ids: Arc::new(topic_ids), inputs })
}

/// Id and number of partitions, by name.
type Known = BTreeMap<Str, (Uuid, i32)>;

fn note(known: &mut Known, topic: &TopicDescription) {
    let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    known.insert(Str::copy(&topic.name), (topic.topic_id, partitions));
}

async fn wait_for_topics(
    admin: &Admin,
    topology: &Topology,
    board: &StatusBoard,
) -> Result<Known, PlanError> {
    let sources = topology.source_topics();
    let mut names: Vec<String> = sources.iter().map(ToString::to_string).collect();
    names.extend(topology.sink_topics().iter().map(ToString::to_string));
    names.sort();
    names.dedup();
    let mut pause = FIRST_PAUSE;
    loop {
        let described = admin.describe_topics(&names).await?;
        let missing: Vec<String> = described
            .iter()
            .filter(|topic| topic.error.is_some() || topic.partitions.is_empty())
            .map(|topic| {
                let use_ = if sources.contains(topic.name.as_str()) { "reads" } else { "writes" };
                format!("`{}`, which the app {use_}", topic.name)
            })
            .collect();
        if missing.is_empty() {
            let mut known = Known::new();
            described.iter().for_each(|topic| note(&mut known, topic));
            return Ok(known);
        }
        let (noun, pronoun) = if missing.len() == 1 { ("topic", "it") } else { ("topics", "them") };
        let message = format!("waiting for the {noun} {}: create {pronoun}", missing.join(" and "));
        board.set_state(WorkerState::Created, Some(message));
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// An internal topic and how many partitions it must have.
#[derive(Debug)]
struct Wanted {
    name: Str,
    kind: InternalTopicKind,
    partitions: i32,
}

/// A subtopology has as many tasks as its widest source has partitions; its repartition topics take that number.
fn internal_topics(
    topology: &Topology,
    application_id: &str,
    known: &Known,
) -> Result<Vec<Wanted>, PlanError> {
    let mut partitions: BTreeMap<Str, i32> =
        known.iter().map(|(name, (_, partitions))| (name.clone(), *partitions)).collect();
    let internal = topology.internal_topics(application_id);
    let repartition: Vec<_> =
        internal.iter().filter(|t| t.kind == InternalTopicKind::Repartition).collect();
    // Each round resolves at least the next subtopology of a chain.
    for _ in 0..=repartition.len() {
        for topic in &repartition {
            if let Some(width) = width(topology, topic.subtopology, application_id, &partitions)? {
                partitions.insert(topic.name.clone(), width);
            }
        }
    }
    let mut wanted = Vec::with_capacity(internal.len());
    for topic in internal {
        let width = width(topology, topic.subtopology, application_id, &partitions)?.unwrap_or(1);
        wanted.push(Wanted { name: topic.name, kind: topic.kind, partitions: width });
    }
    Ok(wanted)
}

fn width(
    topology: &Topology,
    subtopology: usize,
    application_id: &str,
    partitions: &BTreeMap<Str, i32>,
) -> Result<Option<i32>, PlanError> {
    let Some(part) = topology.subtopologies.get(subtopology) else { return Ok(None) };
    let names: Vec<Str> =
        part.sources.iter().map(|t: &Topic| t.full_name(application_id)).collect();
    let known: Vec<i32> = names.iter().filter_map(|name| partitions.get(name).copied()).collect();
    let all_equal = known.windows(2).all(|pair| pair[0] == pair[1]);
    if !part.stores.is_empty() && known.len() == names.len() && !all_equal {
        return Err(PlanError::Copartition { topics: names.join_names() });
    }
    Ok(known.into_iter().max())
}

trait JoinNames {
    fn join_names(&self) -> String;
}

impl JoinNames for Vec<Str> {
    fn join_names(&self) -> String {
        self.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
    }
}

/// The internal topics that are not there yet; those that are become known.
async fn make_internal(
    admin: &Admin,
    wanted: &[Wanted],
    known: &mut Known,
) -> Result<Vec<NewTopic>, PlanError> {
    let names: Vec<String> = wanted.iter().map(|topic| topic.name.to_string()).collect();
    let mut missing = Vec::new();
    for (topic, described) in wanted.iter().zip(admin.describe_topics(&names).await?) {
        match described.error {
            None => note(known, &described),
            Some(error) if error.code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                let mut new =
                    NewTopic::new(topic.name.to_string()).with_partitions(topic.partitions);
                for (key, value) in topic.kind.configs() {
                    new = new.with_config(key, value);
                }
                missing.push(new);
            }
            Some(error) => return Err(ClientError::Api(error).into()),
        }
    }
    Ok(missing)
}

async fn create(admin: &Admin, topics: Vec<NewTopic>) -> Result<(), PlanError> {
    if topics.is_empty() {
        return Ok(());
    }
    for (topic, outcome) in admin.create_topics(topics).await? {
        match outcome {
            // Another worker of the app was faster.
            Err(error) if error.code == ErrorCode::TOPIC_ALREADY_EXISTS => {}
            Err(error) => return Err(PlanError::Create { topic, error }),
            Ok(()) => tracing::info!(topic, "made an internal topic"),
        }
    }
    Ok(())
}

/// A new topic reaches the metadata a little later than its making is acknowledged.
async fn describe_made(
    admin: &Admin,
    names: &[String],
    known: &mut Known,
) -> Result<(), PlanError> {
    /// Looks before the session is given up (and begun anew).
    const LOOKS: u32 = 50;
    for _ in 0..LOOKS {
        let described = admin.describe_topics(names).await?;
        if described.iter().all(|topic| topic.error.is_none()) {
            described.iter().for_each(|topic| note(known, topic));
            return Ok(());
        }
        tokio::time::sleep(FIRST_PAUSE).await;
    }
    Err(PlanError::NotThereYet(names.join(", ")))
}

fn check_partitions(topic: &Wanted, known: &Known) -> Result<(), PlanError> {
    let found = known.get(&topic.name).map_or(0, |(_, partitions)| *partitions);
    match topic.kind {
        InternalTopicKind::Changelog if found < topic.partitions => Err(PlanError::Changelog {
            topic: topic.name.to_string(),
            found,
            wanted: topic.partitions,
        }),
        InternalTopicKind::Repartition if found != topic.partitions => {
            // Keys must stay where they are: the number is that of the beginning.
            tracing::info!(topic = %topic.name, found, wanted = topic.partitions,
                "the repartition topic keeps its number of partitions");
            Ok(())
        }
        _ => Ok(()),
    }
}
