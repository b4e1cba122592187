//! The brokers as they are: HTTP on their admin ports, and Kafka's protocol for what that has.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;

use super::contract::Refusal;
use super::{Answer, Brokers, Done, Order, Question, SafetyFailure};
use crate::kafka::{KafkaClients, KafkaFailure};

/// Longest wait for one broker's answer. The active controller makes sure of a majority before it answers, which
/// takes it a heartbeat, or three seconds if there is none.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);
/// Brokers that are asked before nobody counts as having answered: as many as are likely to vote.
const MAX_TRIES: usize = 5;

/// Where a cluster's brokers are.
pub(crate) struct BrokerDoor<'a> {
    pub(crate) http: &'a reqwest::Client,
    pub(crate) kafka: &'a KafkaClients,
    /// Bootstrap address.
    pub(crate) address: String,
    /// Host of every broker that there is.
    pub(crate) hosts: BTreeMap<i32, String>,
    /// Ids of those that are worth asking first: their pods are ready.
    pub(crate) ready: Vec<i32>,
    pub(crate) admin_port: i32,
    pub(crate) kafka_port: i32,
}

/// Why one broker gave no answer.
enum NoAnswer {
    /// No process listens there, so none leads there.
    Absent(String),
    /// It may be there, out of sight.
    Silent(String),
}

/// What one broker said.
enum Said<T> {
    Answer(T),
    /// It is not the active controller; perhaps it knows who is.
    Elsewhere(Option<i32>, String),
    Refused(String),
    NoSuch(String),
}

impl Brokers for BrokerDoor<'_> {
    async fn ask(&self, question: &Question) -> Result<Answer, SafetyFailure> {
        match question {
            Question::Restart(ids) => {
                let path = format!("/safety/restart?brokers={}", list(ids));
                self.call(Method::GET, &path).await.map(Answer::Restart)
            }
            Question::Replicas(ids) => {
                let path = format!("/safety/replicas?brokers={}", list(ids));
                self.call(Method::GET, &path).await.map(Answer::Replicas)
            }
            Question::Quorum => self.call(Method::GET, "/safety/quorum").await.map(Answer::Quorum),
            Question::Proposal => {
                self.call(Method::GET, "/safety/spread").await.map(Answer::Proposal)
            }
            Question::Bandwidth => {
                self.call(Method::GET, "/safety/bandwidth").await.map(Answer::Bandwidth)
            }
            Question::Registered => {
                let cluster = self.kafka.cluster(&self.address).await?;
                Ok(Answer::Registered(cluster.brokers))
            }
            Question::Recovery(id) => Ok(Answer::Recovery(self.recovers(*id).await)),
        }
    }

    async fn order(&self, order: &Order) -> Result<Done, SafetyFailure> {
        match order {
            Order::Drain(ids) => self.tell(&format!("/safety/drain?brokers={}", list(ids))).await,
            Order::Evacuate(ids) => {
                let path = format!("/safety/evacuate?brokers={}", list(ids));
                self.call(Method::POST, &path).await.map(Done::Moves)
            }
            Order::Spread => self.call(Method::POST, "/safety/spread").await.map(Done::Moves),
            Order::Resize { topic, replicas } => {
                let path = format!("/safety/resize?topic={topic}&replicas={replicas}");
                self.call(Method::POST, &path).await.map(Done::Moves)
            }
            Order::Limit(None) => self.tell("/safety/bandwidth").await,
            Order::Limit(Some(limit)) => {
                self.tell(&format!("/safety/bandwidth?bytesPerSecond={limit}")).await
            }
            Order::StopMoves(ids) => {
                self.tell(&format!("/safety/stop-moves?brokers={}", list(ids))).await
            }
            Order::Unregister(id) => {
                match self.tell(&format!("/safety/unregister?broker={id}")).await {
                    // It is not registered: so it should be.
                    Err(SafetyFailure::NoSuch(_)) => Ok(Done::Done),
                    result => result,
                }
            }
            Order::AddVoter { id, directory_id } => {
                let host = self.hosts.get(id).cloned().unwrap_or_default();
                let port = u16::try_from(self.kafka_port).unwrap_or_default();
                self.kafka.add_voter(&self.address, *id, directory_id, &host, port).await?;
                Ok(Done::Done)
            }
            Order::RemoveVoter { id, directory_id } => {
                self.kafka.remove_voter(&self.address, *id, directory_id).await?;
                Ok(Done::Done)
            }
        }
    }
}

impl From<KafkaFailure> for SafetyFailure {
    fn from(failure: KafkaFailure) -> Self {
        match failure {
            KafkaFailure::Refused(text) => Self::Refused(text),
            KafkaFailure::Later(text) => Self::Unknown(text),
        }
    }
}

impl BrokerDoor<'_> {
    /// An order whose answer says no more than that it was carried out.
    async fn tell(&self, path: &str) -> Result<Done, SafetyFailure> {
        self.call::<serde::de::IgnoredAny>(Method::POST, path).await.map(|_| Done::Done)
    }

    /// Asks broker after broker until the active controller has answered.
    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
    ) -> Result<T, SafetyFailure> {
        let mut next = None;
        let mut asked = BTreeSet::new();
        let mut last = "no broker is there to be asked".to_owned();
        let (mut leaderless, mut may_be_led) = (false, false);
        for _ in 0..MAX_TRIES {
            let Some(id) = next.take().or_else(|| self.untried(&asked)) else { break };
            asked.insert(id);
            let Some(host) = self.hosts.get(&id) else { continue };
            let text = match self.one(method.clone(), host, path).await {
                Ok(Said::Answer(answer)) => return Ok(answer),
                Ok(Said::Refused(text)) => return Err(SafetyFailure::Refused(text)),
                Ok(Said::NoSuch(text)) => return Err(SafetyFailure::NoSuch(text)),
                Ok(Said::Elsewhere(hint, text)) => {
                    leaderless |= hint.is_none();
                    may_be_led |= hint.is_some();
                    next = hint.filter(|id| !asked.contains(id));
                    text
                }
                Err(NoAnswer::Absent(text)) => text,
                Err(NoAnswer::Silent(text)) => {
                    may_be_led = true;
                    text
                }
            };
            last = format!("broker {id}: {text}");
        }
        let all = asked.len() == self.hosts.len().min(MAX_TRIES);
        let failure = if leaderless && !may_be_led && all {
            SafetyFailure::Leaderless
        } else {
            SafetyFailure::Unknown
        };
        Err(failure(last))
    }

    fn untried(&self, asked: &BTreeSet<i32>) -> Option<i32> {
        self.ready.iter().chain(self.hosts.keys()).copied().find(|id| !asked.contains(id))
    }

    /// Asks one broker. After an error somebody else may still answer.
    async fn one<T: DeserializeOwned>(
        &self,
        method: Method,
        host: &str,
        path: &str,
    ) -> Result<Said<T>, NoAnswer> {
        let url = format!("http://{host}:{}{path}", self.admin_port);
        let sent = self.http.request(method, url).timeout(ASK_TIMEOUT).send().await;
        let answer = sent.map_err(|e| NoAnswer::of(&e))?;
        let status = answer.status();
        if status.is_success() {
            // Some orders answer with nothing.
            let body = answer.bytes().await.map_err(|e| NoAnswer::of(&e))?;
            let body = if body.is_empty() { b"null" } else { body.as_ref() };
            let read = serde_json::from_slice(body);
            let odd = |e| NoAnswer::Silent(format!("the answer does not read: {e}"));
            return read.map(Said::Answer).map_err(odd);
        }
        let body = answer.text().await.unwrap_or_default();
        let refusal: Refusal = serde_json::from_str(&body).unwrap_or_default();
        let explained = !refusal.message.is_empty();
        let text = if explained { refusal.message } else { status.to_string() };
        Ok(match status {
            // Without an explanation it is an old broker, which knows nothing of this.
            StatusCode::NOT_FOUND if explained => Said::NoSuch(text),
            StatusCode::BAD_REQUEST | StatusCode::CONFLICT => Said::Refused(text),
            _ if !explained => return Err(NoAnswer::Silent(text)),
            _ => Said::Elsewhere(refusal.controller, text),
        })
    }

    /// Whether a broker says of itself that it is busy with what it has on disk.
    async fn recovers(&self, id: i32) -> bool {
        let Some(host) = self.hosts.get(&id) else { return false };
        let url = format!("http://{host}:{}/readyz", self.admin_port);
        let Ok(answer) = self.http.get(url).timeout(ASK_TIMEOUT).send().await else {
            return false;
        };
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        status == StatusCode::SERVICE_UNAVAILABLE
            && (text.contains("recovered") || text.contains("loaded"))
    }
}

fn list(ids: &[i32]) -> String {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    ids.join(",")
}

impl NoAnswer {
    /// Its text is the innermost cause: what a person can act upon.
    fn of(error: &reqwest::Error) -> Self {
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if kind == Some(std::io::ErrorKind::ConnectionRefused) {
            Self::Absent(cause.to_string())
        } else {
            Self::Silent(cause.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::http::Uri;
    use axum::response::IntoResponse as _;
    use serde_json::{Value, json};

    use super::*;

    /// One port on which every broker's answers are played, by the order in which they are asked.
    async fn play(answers: Vec<(u16, Value)>) -> (i32, Arc<Mutex<Vec<String>>>) {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = i32::from(listener.local_addr().unwrap().port());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let answers = Arc::new(Mutex::new(answers.into_iter()));
        let router = Router::new().fallback(move |uri: Uri| {
            log.lock().unwrap().push(uri.to_string());
            let (status, body) = answers.lock().unwrap().next().unwrap_or((500, json!({})));
            let status = StatusCode::from_u16(status).unwrap();
            async move { (status, axum::Json(body)).into_response() }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        (port, asked)
    }

    async fn ask(port: i32, question: Question) -> Result<Answer, SafetyFailure> {
        let (http, kafka) = (reqwest::Client::new(), KafkaClients::default());
        let door = BrokerDoor {
            http: &http,
            kafka: &kafka,
            address: String::new(),
            hosts: (0..3).map(|id| (id, "127.0.0.1".to_owned())).collect(),
            ready: vec![1],
            admin_port: port,
            kafka_port: 1,
        };
        door.ask(&question).await
    }

    #[tokio::test]
    async fn the_active_controller_is_found_and_asked() {
        let elsewhere = (503, json!({"message": "not me", "controller": 2}));
        let (port, asked) = play(vec![elsewhere, (200, json!({"safe": true}))]).await;
        let answer = ask(port, Question::Restart(vec![1, 2])).await.unwrap();
        assert!(matches!(answer, Answer::Restart(r) if r.safe));
        assert_eq!(*asked.lock().unwrap(), vec!["/safety/restart?brokers=1,2"; 2]);
    }

    #[tokio::test]
    async fn whatever_is_no_answer_is_not_known() {
        for answer in [(404, json!(1)), (200, json!({"moving": 0}))] {
            let (port, _) = play(vec![answer; MAX_TRIES]).await;
            let answer = ask(port, Question::Replicas(vec![3])).await;
            assert!(matches!(answer, Err(SafetyFailure::Unknown(_))), "{answer:?}");
        }
        assert!(matches!(ask(1, Question::Quorum).await, Err(SafetyFailure::Unknown(_))));
    }

    #[tokio::test]
    async fn brokers_are_leaderless_if_all_that_may_lead_say_so() {
        let no = || (503, json!({"message": "no controller", "controller": null}));
        let (port, asked) = play(vec![no(), no(), no()]).await;
        let answer = ask(port, Question::Quorum).await;
        assert_eq!(answer, Err(SafetyFailure::Leaderless("broker 2: no controller".to_owned())));
        assert_eq!(asked.lock().unwrap().len(), 3);
        // One that knows of another, and one that makes no sense, may be right.
        for other in [(503, json!({"message": "not me", "controller": 9})), (200, json!("?"))] {
            let (port, _) = play(vec![no(), other, no(), no()]).await;
            let answer = ask(port, Question::Quorum).await;
            assert!(matches!(answer, Err(SafetyFailure::Unknown(_))), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn only_a_broker_that_says_so_recovers() {
        let (port, _) =
            play(vec![(503, json!("the logs are being recovered")), (503, json!("x"))]).await;
        assert_eq!(ask(port, Question::Recovery(1)).await, Ok(Answer::Recovery(true)));
        assert_eq!(ask(port, Question::Recovery(1)).await, Ok(Answer::Recovery(false)));
    }
}
