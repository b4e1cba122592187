//! What becomes of a record that cannot be handled (Kafka's `RetryWithToleranceOperator`).

use std::time::Duration;

use tokio::time::Instant;

use super::dead_letters::DeadLetters;
use crate::api::{ConnectError, RawRecord, TopicPartition};
use crate::config::Parsed;
use crate::config::connector as keys;
use crate::herder::names::TaskId;

/// Where in a task an error occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    KeyConverter,
    ValueConverter,
    HeaderConverter,
    KafkaProduce,
    TaskPut,
}

impl Stage {
    /// Kafka's name, which the dead-letter headers carry.
    pub fn name(self) -> &'static str {
        match self {
            Stage::KeyConverter => "KEY_CONVERTER",
            Stage::ValueConverter => "VALUE_CONVERTER",
            Stage::HeaderConverter => "HEADER_CONVERTER",
            Stage::KafkaProduce => "KAFKA_PRODUCE",
            Stage::TaskPut => "TASK_PUT",
        }
    }
}

/// The configuration of error handling.
#[derive(Clone, Debug)]
pub struct ErrorPolicy {
    pub tolerate: bool,
    /// How long a retriable error is tried again; none is without end.
    pub retry_timeout: Option<Duration>,
    pub retry_delay_max: Duration,
    pub log: bool,
    pub log_details: bool,
}

/// The first pause before another attempt; each next is twice as long.
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(300);

impl ErrorPolicy {
    pub fn new(config: &Parsed) -> ErrorPolicy {
        let millis = |key| config.int(key).and_then(|millis| u64::try_from(millis).ok());
        ErrorPolicy {
            tolerate: config.text(keys::ERRORS_TOLERANCE) == Some("all"),
            retry_timeout: millis(keys::ERRORS_RETRY_TIMEOUT).map(Duration::from_millis),
            retry_delay_max: Duration::from_millis(
                millis(keys::ERRORS_RETRY_DELAY_MAX_MS).unwrap_or(60_000),
            ),
            log: config.is_true(keys::ERRORS_LOG_ENABLE),
            log_details: config.is_true(keys::ERRORS_LOG_INCLUDE_MESSAGES),
        }
    }

    /// The pause after `failed` attempts, of which the first began `elapsed` ago; none when the time is up.
    pub fn delay(&self, failed: u32, elapsed: Duration) -> Option<Duration> {
        let factor = 2u32.saturating_pow(failed.saturating_sub(1).min(20));
        let delay = FIRST_RETRY_DELAY.saturating_mul(factor).min(self.retry_delay_max);
        let over = self.retry_timeout.is_some_and(|timeout| elapsed + delay > timeout);
        (!over).then_some(delay)
    }
}

/// The record that an error concerns, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Concerned<'a> {
    pub stage: Stage,
    /// The class of the converter or task that failed.
    pub class: &'a str,
    pub topic: &'a str,
    /// Its place in Kafka; none for a record of a source.
    pub consumed: Option<(&'a TopicPartition, i64, &'a RawRecord)>,
}

/// The error handler of one task.
#[derive(Debug)]
pub struct ErrorHandler {
    pub id: TaskId,
    pub policy: ErrorPolicy,
    pub dead_letters: Option<DeadLetters>,
}

impl ErrorHandler {
    /// Runs an operation on a record; retriable errors are tried again as configured.
    ///
    /// # Errors
    /// The last error.
    pub async fn retry<T, E: Into<ConnectError>>(
        &self,
        mut operation: impl FnMut() -> Result<T, E>,
    ) -> Result<T, ConnectError> {
        let mut error: ConnectError = match operation() {
            Ok(value) => return Ok(value),
            Err(error) => error.into(),
        };
        let start = Instant::now();
        let mut failed = 1;
        while error.is_retriable() {
            let Some(delay) = self.policy.delay(failed, start.elapsed()) else { break };
            tokio::time::sleep(delay).await;
            failed += 1;
            error = match operation() {
                Ok(value) => return Ok(value),
                Err(error) => error.into(),
            };
        }
        Err(error)
    }

    /// Takes note of a record that could not be handled: in the log and in the dead-letter topic.
    ///
    /// # Errors
    /// When errors are not tolerated, or the dead letter cannot be written: the task must end with this.
    pub async fn give_up(
        &self,
        concerned: Concerned<'_>,
        error: ConnectError,
    ) -> Result<(), ConnectError> {
        if self.policy.log || !self.policy.tolerate {
            self.log(concerned, &error);
        }
        if !self.policy.tolerate {
            return Err(ConnectError::fatal(format!(
                "Tolerance exceeded in error handler: {}{}: {error}",
                concerned.stage.name(),
                place(concerned),
            )));
        }
        match (&self.dead_letters, concerned.consumed) {
            (Some(letters), Some(_)) => letters.send(&self.id, concerned, &error).await,
            _ => Ok(()),
        }
    }

    fn log(&self, concerned: Concerned<'_>, error: &ConnectError) {
        let place = if self.policy.log_details { place(concerned) } else { String::new() };
        tracing::error!(
            task = %self.id,
            stage = concerned.stage.name(),
            class = concerned.class,
            "a record cannot be handled{place}: {error}"
        );
    }
}

fn place(concerned: Concerned<'_>) -> String {
    match concerned.consumed {
        Some((partition, offset, _)) => format!(" (record {partition} at offset {offset})"),
        None => format!(" (record for topic {})", concerned.topic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::DataError;
    use crate::config::Config;
    use crate::config::connector::sink_def;

    fn handler(pairs: &[(&str, &str)]) -> ErrorHandler {
        let config: Config =
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let policy = ErrorPolicy::new(&sink_def().parse(&config).0);
        ErrorHandler { id: TaskId::new("a", 0), policy, dead_letters: None }
    }

    fn concerned() -> Concerned<'static> {
        Concerned { stage: Stage::ValueConverter, class: "Json", topic: "t", consumed: None }
    }

    #[tokio::test]
    async fn tolerance_decides_whether_the_task_goes_on() {
        let error = || ConnectError::from(DataError::new("no JSON"));
        let strict = handler(&[]).give_up(concerned(), error()).await.unwrap_err();
        assert_eq!(
            strict.to_string(),
            "Tolerance exceeded in error handler: VALUE_CONVERTER (record for topic t): no JSON"
        );
        let lenient = handler(&[("errors.tolerance", "all"), ("errors.log.enable", "true")]);
        assert!(lenient.give_up(concerned(), error()).await.is_ok());
    }

    #[tokio::test]
    async fn retriable_errors_are_tried_again_when_there_is_time() {
        let mut attempts = 0;
        let mut fail_twice = || {
            attempts += 1;
            if attempts < 3 { Err(DataError::retriable("busy")) } else { Ok(attempts) }
        };
        assert!(handler(&[]).retry(&mut fail_twice).await.is_err(), "not at all by default");
        let endless =
            handler(&[("errors.retry.timeout", "-1"), ("errors.retry.delay.max.ms", "1")]);
        assert_eq!(endless.retry(&mut fail_twice).await.unwrap(), 3);
        let broken = || Err::<(), _>(DataError::new("broken"));
        assert!(endless.retry(broken).await.is_err(), "no retriable error");
    }

    #[test]
    fn delays_double_up_to_the_limit_and_end_with_the_time() {
        let delay = |policy: &ErrorPolicy, failed, elapsed_ms| {
            policy.delay(failed, Duration::from_millis(elapsed_ms)).map(|delay| delay.as_millis())
        };
        let policy =
            handler(&[("errors.retry.delay.max.ms", "1000"), ("errors.retry.timeout", "3000")])
                .policy;
        assert_eq!(delay(&policy, 1, 0), Some(300));
        assert_eq!(delay(&policy, 2, 300), Some(600));
        assert_eq!(delay(&policy, 3, 900), Some(1000));
        assert_eq!(delay(&policy, 4, 2001), None);
        assert_eq!(delay(&handler(&[]).policy, 1, 0), None);
        let endless = handler(&[("errors.retry.timeout", "-1")]).policy;
        assert_eq!(delay(&endless, 40, u64::MAX / 2), Some(60_000));
    }
}
