//! A broker and a worker in this process, and what the tests ask of them.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use broker::{Broker, BrokerConfig, BrokerHandle};
use client::{AutoOffsetReset, Client, ClientConfig, Consumer, ConsumerConfig, ConsumerRecord};
use connect::{Herder, Idle, Worker, WorkerConfig, WorkerHandle};
use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker, and one worker at a time on it.
pub(crate) struct Platform {
    dir: TempDir,
    broker: Option<BrokerHandle>,
    /// Where the broker listens, also when it is started again.
    listen: SocketAddr,
    worker: Option<WorkerHandle>,
    /// Where a worker runs that is to be killed.
    apart: Option<tokio::runtime::Runtime>,
    http: reqwest::Client,
}

impl Platform {
    pub(crate) async fn start() -> Platform {
        let mut platform = Platform::without_worker().await;
        platform.start_worker().await;
        platform
    }

    pub(crate) async fn without_worker() -> Platform {
        // `RUST_LOG=connect=debug` shows what a test's worker does.
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
        let dir = TempDir::new().unwrap();
        std::fs::create_dir(dir.path().join("files")).unwrap();
        let http = reqwest::Client::new();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut platform = Platform { dir, broker: None, listen, worker: None, apart: None, http };
        platform.start_broker().await;
        platform
    }

    pub(crate) async fn start_broker(&mut self) {
        let mut config = BrokerConfig::local(self.dir.path().join("data"))
            .with("group.initial.rebalance.delay.ms", "0")
            .with("offsets.topic.num.partitions", "4");
        config.listen = self.listen;
        let broker = Broker::start(config).await.unwrap();
        self.listen = broker.addr();
        self.broker = Some(broker);
    }

    pub(crate) async fn stop_broker(&mut self) {
        self.broker.take().unwrap().shutdown().await.unwrap();
    }

    pub(crate) fn bootstrap(&self) -> String {
        self.listen.to_string()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join("files").join(name)
    }

    fn worker_config(&self) -> WorkerConfig {
        let mut config = WorkerConfig::local(&self.bootstrap(), self.dir.path().join("files"));
        config.offset_partitions = 2;
        config.status_partitions = 1;
        config.properties = BTreeMap::from([
            ("offset.flush.interval.ms".to_owned(), "100".to_owned()),
            ("value.converter".to_owned(), "String".to_owned()),
            ("key.converter".to_owned(), "String".to_owned()),
        ]);
        config
    }

    pub(crate) async fn start_worker(&mut self) {
        let worker = Worker::start(self.worker_config()).await.unwrap();
        worker.herder().ready().await.unwrap();
        self.worker = Some(worker);
    }

    /// Starts a worker that [`Platform::kill_worker`] can kill.
    pub(crate) async fn start_worker_apart(&mut self) {
        let apart = tokio::runtime::Runtime::new().unwrap();
        let config = self.worker_config();
        let worker = apart.spawn(async move {
            let worker = Worker::start(config).await.unwrap();
            worker.herder().ready().await.unwrap();
            worker
        });
        self.worker = Some(worker.await.unwrap());
        self.apart = Some(apart);
    }

    /// Ends a worker where it stands: nothing of it runs on, commits or closes.
    pub(crate) fn kill_worker(&mut self) {
        let apart = self.apart.take().unwrap();
        // On a thread of its own: a runtime must not wait inside another.
        std::thread::spawn(move || apart.shutdown_timeout(PATIENCE)).join().unwrap();
        self.worker = None;
    }

    pub(crate) async fn stop_worker(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.shutdown().await;
        }
    }

    pub(crate) fn herder(&self) -> Herder {
        self.worker.as_ref().unwrap().herder()
    }

    /// A request; the answer's status, and its body (null when there is none).
    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let address = self.worker.as_ref().unwrap().rest_addr();
        let mut request = self.http.request(method, format!("http://{address}{path}"));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.bytes().await.unwrap();
        let body =
            if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        (status, body)
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.request(Method::GET, path, None).await
    }

    pub(crate) async fn put(&self, path: &str, body: Option<Value>) -> (u16, Value) {
        self.request(Method::PUT, path, body).await
    }

    /// Waits until a connector has nothing left to do.
    pub(crate) async fn until_idle(&self, name: &str) {
        let herder = self.herder();
        eventually(name, || async {
            match herder.idle(name).await.unwrap() {
                Idle::Idle => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// Waits until a connector (`None`) or one of its tasks has a state.
    pub(crate) async fn until_state(&self, name: &str, task: Option<usize>, state: &str) -> Value {
        eventually(name, || async {
            let (_, status) = self.get(&format!("/connectors/{name}/status")).await;
            let part = match task {
                None => &status["connector"],
                Some(task) => &status["tasks"][task],
            };
            if part["state"] == state { Ok(part.clone()) } else { Err(status.to_string()) }
        })
        .await
    }

    pub(crate) async fn until_lines(&self, file: &str, lines: &[&str]) {
        let path = self.file(file);
        let expected: String = lines.iter().map(|line| format!("{line}\n")).collect();
        eventually(file, || async {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if text == expected { Ok(()) } else { Err(text) }
        })
        .await;
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(ClientConfig::new(&self.bootstrap()))
    }

    /// The first `count` records of a topic's partition 0.
    pub(crate) async fn records(&self, topic: &'static str, count: usize) -> Vec<ConsumerRecord> {
        let client = self.client();
        eventually(topic, || async {
            let described = client.admin().describe_topics(&[topic.to_owned()]).await.unwrap();
            if described[0].error.is_none() { Ok(()) } else { Err("no topic".to_owned()) }
        })
        .await;
        let config = ConsumerConfig {
            auto_offset_reset: AutoOffsetReset::Earliest,
            ..ConsumerConfig::default()
        };
        let consumer = Consumer::new(&client, config);
        consumer.assign(vec![client::TopicPartition::new(topic, 0)]);
        let read = async {
            let mut records = Vec::new();
            while records.len() < count {
                records.extend(consumer.poll(Duration::from_millis(200)).await.unwrap());
            }
            records
        };
        let records = tokio::time::timeout(PATIENCE, read).await.unwrap();
        consumer.close().await;
        records
    }
}

/// Tries until it goes well; panics with the last error when that takes too long.
pub(crate) async fn eventually<T, F>(what: &str, mut attempt: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) if tokio::time::Instant::now() > deadline => panic!("{what}: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

pub(crate) fn append(path: &Path, text: &str) {
    use std::io::Write;
    let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
