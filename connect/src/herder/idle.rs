//! Whether a connector has nothing left to do at present: what `vltava up --once` waits for.

use client::{OffsetSpec, TopicPartition};

use super::error::HerderError;
use super::info::Idle;
use super::names::{TargetState, TaskId};
use super::service::Herder;
use super::validate::full_def;
use crate::config::connector::TOPICS;
use crate::plugins::PluginKind;
use crate::runtime::sink_task::group_id;

impl Herder {
    /// Whether a connector is through with everything that there is. The answer is of this moment: records that come
    /// later are not in it.
    ///
    /// # Errors
    /// When there is no such connector, or Kafka cannot be asked.
    pub async fn idle(&self, name: &str) -> Result<Idle, HerderError> {
        let entry = self.entry(name)?;
        let status = match self.status(name) {
            Ok(status) => status,
            Err(HerderError::NotFound(_)) => return Ok(Idle::Busy("it is starting".to_owned())),
            Err(error) => return Err(error),
        };
        if let Some(trace) = status.failure() {
            return Ok(Idle::Failed(trace.to_owned()));
        }
        if entry.target != TargetState::Started {
            return Ok(Idle::Busy(format!("it is {}", entry.target.name())));
        }
        let current =
            entry.applied.as_ref().is_some_and(|applied| applied.connector == entry.config);
        if !current || !status.is_running() {
            return Ok(Idle::Busy("it is starting".to_owned()));
        }
        if status.type_ == PluginKind::Sink.name() {
            self.sink_idle(name).await
        } else {
            self.source_idle(name, status.tasks.iter().map(|task| task.id))
        }
    }

    fn source_idle(
        &self,
        name: &str,
        tasks: impl Iterator<Item = u32>,
    ) -> Result<Idle, HerderError> {
        let started = self.started()?;
        for task in tasks {
            let id = TaskId::new(name, task);
            let progress = started.progress.lock().get(&id).cloned();
            let Some(progress) = progress else {
                return Ok(Idle::Busy("it is starting".to_owned()));
            };
            if let Some(busy) = progress.busy() {
                let note = started.machine.lock().note(&id).map(str::to_owned);
                return Ok(Idle::Busy(note.unwrap_or(busy)));
            }
        }
        Ok(Idle::Idle)
    }

    /// A sink is done when its group has committed the end of every partition of its topics.
    async fn sink_idle(&self, name: &str) -> Result<Idle, HerderError> {
        let started = self.started()?;
        let entry = self.entry(name)?;
        let topics: Vec<String> = {
            let class = entry.config.get(crate::config::connector::CONNECTOR_CLASS);
            match class.and_then(|class| self.plugins.connector(class)) {
                Some((_, connector)) => {
                    let def = full_def(connector.kind(), connector.connector());
                    def.parse(&entry.config).0.list(TOPICS).to_vec()
                }
                None => Vec::new(),
            }
        };
        let admin = started.shared.client.admin();
        let mut asked = Vec::new();
        for topic in admin.describe_topics(&topics).await? {
            if topic.error.is_some() || topic.partitions.is_empty() {
                return Ok(Idle::Busy(format!("the topic {} does not exist", topic.name)));
            }
            for partition in &topic.partitions {
                let partition = TopicPartition::new(topic.name.clone(), partition.id);
                asked.push((partition, OffsetSpec::Latest));
            }
        }
        let ends = admin.list_offsets(&asked).await;
        let committed = admin.committed_offsets(&group_id(name)).await?;
        let mut behind = 0;
        for (partition, end) in ends {
            let end = end?.offset;
            behind += match committed.get(&partition) {
                Some(committed) => (end - committed).max(0),
                None => end,
            };
        }
        Ok(match behind {
            0 => Idle::Idle,
            behind => Idle::Busy(format!("{behind} records are not written and committed yet")),
        })
    }
}
