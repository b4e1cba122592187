//! The loop: look, plan, act, tell; again and again until somebody stops it or `--once` has nothing left to do.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::action::Action;
use super::apply::{ApplyError, apply};
use super::desired::{Desired, kafka_name_of};
use super::display::Display;
use super::files::Files;
use super::load::{absolute, load};
use super::memory::{Applied, Memory};
use super::object::{Kind, ObjectKey, Place, Refusal};
use super::plan::{Plan, plan};
use super::platform::{Platform, PlatformError};
use super::status::Status;
use super::{observe, once};

/// How often the files are looked at, and what runs while something is still to be done.
const TICK: Duration = Duration::from_millis(300);
/// Ticks between two looks at what runs while all is well; the files are looked at all the same.
const REST_TICKS: u32 = 2;
/// First pause before a change that failed is tried again; it doubles.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// A change that could work later is called stalled after so many tries.
const PATIENCE: u32 = 6;

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A signal came.
    Stopped,
    /// `--once`: all input is used up; with the number of objects that are refused or stalled.
    UsedUp { stalled: usize },
}

/// Why it cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    #[error(transparent)]
    Platform(#[from] PlatformError),
    #[error(transparent)]
    Memory(#[from] super::memory::MemoryError),
    #[error("the broker has stopped: {0}")]
    Broker(String),
}

/// A change that failed and when to try again.
#[derive(Debug)]
struct Failure {
    action: String,
    error: ApplyError,
    tries: u32,
    next: Option<Instant>,
}

pub(crate) struct Engine {
    pub(crate) files: Files,
    pub(crate) desired: Desired,
    pub(crate) memory: Memory,
    pub(crate) display: Display,
    failures: BTreeMap<ObjectKey, Failure>,
    /// A change was made: what depends on it need not wait for the next tick.
    hurry: bool,
    /// Ticks without a look at what runs, because all was well at the last one.
    rest: u32,
    /// `None` only while it is being restarted.
    platform: Option<Platform>,
    data_dir: PathBuf,
}

impl Engine {
    pub(crate) fn new(
        files: Files,
        desired: Desired,
        memory: Memory,
        display: Display,
        platform: Platform,
        data_dir: PathBuf,
    ) -> Self {
        Self {
            files,
            desired,
            memory,
            display,
            failures: BTreeMap::new(),
            hurry: false,
            rest: 0,
            platform: Some(platform),
            data_dir,
        }
    }

    /// Works until `stop` is cancelled or, with `once`, until nothing is left to do.
    ///
    /// # Errors
    /// When the platform cannot go on or the memory cannot be kept.
    pub(crate) async fn run(
        &mut self,
        once: bool,
        stop: &CancellationToken,
    ) -> Result<End, EngineError> {
        let mut ticker = tokio::time::interval(TICK);
        ticker.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(End::Stopped),
                why = broker_failure(self.platform.as_ref()) => return Err(EngineError::Broker(why)),
                _ = ticker.tick() => {}
            }
            let pass = tokio::select! {
                () = stop.cancelled() => return Ok(End::Stopped),
                pass = self.pass() => pass?,
            };
            if std::mem::take(&mut self.hurry) {
                ticker.reset_immediately();
            }
            let Some(statuses) = pass else { continue };
            if !once {
                let well = statuses.values().all(Status::is_ready);
                self.rest = if well { REST_TICKS } else { 0 };
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(End::Stopped),
                stalled = self.used_up(&statuses) => {
                    if let Some(stalled) = stalled {
                        // The last word on the screen is about the end, not about the pass before it.
                        self.pass().await?;
                        return Ok(End::UsedUp { stalled });
                    }
                }
            }
        }
    }

    /// Stops everything that runs.
    pub(crate) async fn stop(&mut self) {
        if let Some(platform) = self.platform.take() {
            platform.stop().await;
        }
    }

    /// One round; the statuses when nothing is to be done any more.
    async fn pass(&mut self) -> Result<Option<BTreeMap<ObjectKey, Status>>, EngineError> {
        let edited = self.reload();
        if self.rest > 0 && !edited {
            self.rest -= 1;
            return Ok(None);
        }
        let Some(platform) = &self.platform else { return Ok(None) };
        let actual = match observe::observe(platform, &self.desired).await {
            Ok(actual) => actual,
            Err(error) => {
                tracing::warn!("cannot look at what runs: {error}");
                return Ok(None);
            }
        };
        let mut plan = plan(&self.desired, &actual, &self.memory, &platform.running);
        let waiting = self.act(&mut plan).await?;
        self.remember(&plan)?;
        self.display.refuse(self.desired.anonymous.iter().map(ToString::to_string));
        self.display.update(&plan.statuses);
        Ok((!waiting).then_some(plan.statuses))
    }

    /// True when the files say something else than before.
    fn reload(&mut self) -> bool {
        if !self.files.refresh() {
            return false;
        }
        self.desired = Desired::resolve(load(self.files.contents()));
        self.failures.clear();
        for note in &self.desired.notes {
            self.display.note(note);
        }
        true
    }

    /// Carries the plan out and puts failures into its statuses; true when a change is made or will be tried again.
    async fn act(&mut self, plan: &mut Plan) -> Result<bool, EngineError> {
        let mut waiting = false;
        for (key, action) in std::mem::take(&mut plan.actions) {
            let shown = action.to_string();
            let due = match self.failures.get(&key) {
                Some(failure) if failure.action == shown => {
                    failure.next.is_some_and(|next| next <= Instant::now())
                }
                _ => true,
            };
            if due {
                tracing::info!(object = %key, "{shown}");
                match self.carry_out(&action).await? {
                    Ok(()) => {
                        self.failures.remove(&key);
                        self.hurry = true;
                        waiting = true;
                        continue;
                    }
                    Err(error) => self.fail(&key, &action, error),
                }
            }
            if let Some(failure) = self.failures.get(&key) {
                let lasting = !failure.error.transient || failure.tries >= PATIENCE;
                waiting |= !lasting;
                let status = match self.place(&key, failure.error.key.as_deref()) {
                    Some(place) if lasting => {
                        Status::stalled(Refusal::new(place, failure.error.message.clone()))
                    }
                    _ => Status::reconciling(format!("{shown}: {}; trying again", failure.error)),
                };
                plan.statuses.insert(key, status);
            }
        }
        Ok(waiting)
    }

    async fn carry_out(&mut self, action: &Action) -> Result<Result<(), ApplyError>, EngineError> {
        if let Action::Restart { broker, connect } = action {
            return self.restart(broker.clone(), connect.clone()).await;
        }
        match &mut self.platform {
            Some(platform) => Ok(apply(platform, action).await),
            None => Ok(Ok(())),
        }
    }

    /// Restarts with new settings, or with the old ones if the new ones do not work.
    async fn restart(
        &mut self,
        broker: BTreeMap<String, String>,
        connect: BTreeMap<String, String>,
    ) -> Result<Result<(), ApplyError>, EngineError> {
        let Some(platform) = self.platform.take() else { return Ok(Ok(())) };
        let before = platform.running.clone();
        let site = platform.stop().await;
        match Platform::start(site.clone(), broker, connect).await {
            Ok(platform) => {
                self.platform = Some(platform);
                Ok(Ok(()))
            }
            Err(error) => {
                self.platform = Some(Platform::start(site, before.broker, before.connect).await?);
                let message = format!("{error}; what ran before goes on");
                Ok(Err(ApplyError { message, transient: false, key: None }))
            }
        }
    }

    fn fail(&mut self, key: &ObjectKey, action: &Action, error: ApplyError) {
        let shown = action.to_string();
        let tries = self
            .failures
            .get(key)
            .filter(|f| f.action == shown)
            .map_or(0, |f| f.tries)
            .saturating_add(1);
        let pause = RETRY_FIRST.saturating_mul(1 << tries.min(10)).min(RETRY_MAX);
        // A restart disturbs everything: it is tried again only when the files change.
        let again = !matches!(action, Action::Restart { .. });
        let next = again.then(|| Instant::now() + pause);
        self.failures.insert(key.clone(), Failure { action: shown, error, tries, next });
    }

    /// Where an object's description is, for failures of a key of its config or of the whole.
    fn place(&self, key: &ObjectKey, config_key: Option<&str>) -> Option<Place> {
        let desired = &self.desired;
        let origin = match key.kind {
            Kind::Cluster => desired.cluster.as_ref().map(|object| &object.origin),
            Kind::Connect => desired.connect.as_ref().map(|object| &object.origin),
            Kind::Topic => desired.topics.get(&key.name).map(|object| &object.origin),
            Kind::Connector => desired.connectors.get(&key.name).map(|object| &object.origin),
            Kind::StreamsApp => desired.apps.get(&key.name).map(|app| &app.declared.origin),
            Kind::User => None,
        };
        origin.map(|origin| match config_key {
            Some("connector.class") => origin.at(&["spec", "class"]),
            Some("tasks.max") => origin.at(&["spec", "tasksMax"]),
            Some(key) => origin.at(&["spec", "config", key]),
            None => origin.at(&["spec", "config"]),
        })
    }

    /// Keeps the memory in step with what is described.
    fn remember(&mut self, plan: &Plan) -> Result<(), EngineError> {
        let mut news = false;
        for key in &plan.gone {
            news |= self.memory.forget(key);
        }
        for (name, object) in &self.desired.topics {
            let delete = object.spec.deletion_policy == crds::DeletionPolicy::Delete;
            let delete_topic = delete.then(|| kafka_name_of(object).to_owned());
            let applied = Applied { file: absolute(&object.origin.file), delete_topic };
            news |= self.memory.remember(ObjectKey::new(Kind::Topic, name.clone()), applied);
        }
        for (name, object) in &self.desired.connectors {
            let applied = Applied { file: absolute(&object.origin.file), delete_topic: None };
            news |= self.memory.remember(ObjectKey::new(Kind::Connector, name.clone()), applied);
        }
        for (name, app) in &self.desired.apps {
            let applied = Applied { file: absolute(&app.declared.origin.file), delete_topic: None };
            news |= self.memory.remember(ObjectKey::new(Kind::StreamsApp, name.clone()), applied);
        }
        if news {
            self.memory.save(&self.data_dir)?;
        }
        Ok(())
    }

    /// Whether everything that can work has nothing left to do; then how many objects cannot.
    async fn used_up(&self, statuses: &BTreeMap<ObjectKey, Status>) -> Option<usize> {
        let stalled = statuses
            .values()
            .filter(|status| matches!(status.state, super::status::State::Stalled(_)))
            .count();
        let ready = statuses.values().filter(|status| status.is_ready()).count();
        if stalled + ready < statuses.len() {
            return None;
        }
        let platform = self.platform.as_ref()?;
        let idle = once::is_used_up(platform, &self.desired, statuses).await;
        idle.then_some(stalled + self.desired.anonymous.len())
    }
}

/// Returns when the broker cannot go on, and why.
async fn broker_failure(platform: Option<&Platform>) -> String {
    match platform {
        Some(platform) => platform.brokers.failed().await,
        None => std::future::pending().await,
    }
}
