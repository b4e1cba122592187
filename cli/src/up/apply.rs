//! Carries out one [`Action`]. Each is safe to repeat: a plan is made anew from what is there after each pass.

use std::time::Duration;

use client::{ConfigOp, NewTopic};
use connect::HerderError;
use connect::herder::{PutMode, TargetState};
use crds::ConnectorState;
use protocol::ErrorCode;

use super::action::Action;
use super::platform::Platform;

/// Longest wait for one change.
const ACTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a change did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ApplyError {
    pub(crate) message: String,
    /// Whether it may work by itself later.
    pub(crate) transient: bool,
    /// The key of the object's config that is to blame, where one is.
    pub(crate) key: Option<String>,
}

impl ApplyError {
    fn lasting(message: impl ToString) -> Self {
        Self { message: message.to_string(), transient: false, key: None }
    }

    fn passing(message: impl ToString) -> Self {
        Self { message: message.to_string(), transient: true, key: None }
    }
}

impl From<client::ClientError> for ApplyError {
    fn from(error: client::ClientError) -> Self {
        Self { transient: error.is_retriable(), message: error.to_string(), key: None }
    }
}

impl From<client::ApiError> for ApplyError {
    fn from(error: client::ApiError) -> Self {
        Self { transient: error.code.is_retriable(), message: error.to_string(), key: None }
    }
}

impl From<HerderError> for ApplyError {
    fn from(error: HerderError) -> Self {
        let transient = match &error {
            HerderError::Starting(_) | HerderError::Store(_) => true,
            HerderError::Client(error) => error.is_retriable(),
            _ => false,
        };
        match error {
            HerderError::InvalidConfig(problems) => {
                let messages: Vec<String> = problems.iter().map(|p| p.message.clone()).collect();
                let key = problems.into_iter().next().map(|problem| problem.key);
                Self { message: messages.join("\n"), transient, key }
            }
            other => Self { message: other.to_string(), transient, key: None },
        }
    }
}

/// Does it. `Restart` is the engine's, since it replaces the platform.
pub(crate) async fn apply(platform: &mut Platform, action: &Action) -> Result<(), ApplyError> {
    match tokio::time::timeout(ACTION_TIMEOUT, act(platform, action)).await {
        Ok(result) => result,
        Err(_) => Err(ApplyError::passing(format!(
            "{action}: no answer within {} s",
            ACTION_TIMEOUT.as_secs()
        ))),
    }
}

async fn act(platform: &mut Platform, action: &Action) -> Result<(), ApplyError> {
    let admin = platform.client.admin();
    match action {
        Action::Restart { .. } => Ok(()),
        Action::CreateTopic { topic, partitions, config } => {
            let new = NewTopic {
                name: topic.clone(),
                partitions: *partitions,
                replication_factor: -1,
                configs: config.clone(),
            };
            allow(admin.create_topics(vec![new]).await?, ErrorCode::TOPIC_ALREADY_EXISTS)
        }
        Action::AddPartitions { topic, total } => {
            allow(admin.create_partitions(&[(topic.clone(), *total)]).await?, ErrorCode::NONE)
        }
        Action::ConfigureTopic { topic, set, reset } => {
            let sets = set.iter().map(|(key, value)| (key.clone(), ConfigOp::Set(value.clone())));
            let resets = reset.iter().map(|key| (key.clone(), ConfigOp::Delete));
            Ok(admin.alter_topic_configs(topic, sets.chain(resets).collect()).await?)
        }
        Action::DeleteTopic { topic } => allow(
            admin.delete_topics(std::slice::from_ref(topic)).await?,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ),
        Action::PutConnector { name, config, state } => {
            let (herder, target) = (platform.connect.herder(), target(*state));
            let mode = PutMode::CreateOrUpdate;
            herder.put_config(name, config.clone(), mode, Some(target)).await?;
            platform.put.insert(name.clone(), config.clone());
            Ok(herder.set_target(name, target).await?)
        }
        Action::SetConnectorState { name, state } => {
            Ok(platform.connect.herder().set_target(name, target(*state)).await?)
        }
        Action::DeleteConnector { name } => Ok(platform.connect.herder().delete(name).await?),
        Action::StartApp { app } => platform.start_app(app).await.map_err(ApplyError::lasting),
        Action::StopApp { name } => {
            platform.stop_app(name).await;
            Ok(())
        }
    }
}

/// The answers about single topics; `fine` says that the change had been made already.
fn allow(
    results: Vec<(String, Result<(), client::ApiError>)>,
    fine: ErrorCode,
) -> Result<(), ApplyError> {
    for (_, result) in results {
        match result {
            Err(error) if error.code != fine => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Kafka Connect's word for the state.
fn target(state: ConnectorState) -> TargetState {
    match state {
        ConnectorState::Running => TargetState::Started,
        ConnectorState::Paused => TargetState::Paused,
        ConnectorState::Stopped => TargetState::Stopped,
    }
}
