//! WordCount with the DSL: counts the words of the topic `lines` into `word-counts`.
//!
//! `cargo run -p streams --example word_count -- 127.0.0.1:9092 ./state`; stop it with Ctrl-C, or kill it: the counts
//! stay right.
#![allow(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use streams::{StreamsBuilder, Topology, Worker, WorkerConfig};

fn topology() -> Result<Topology, Box<dyn Error>> {
    let word = regex::Regex::new(r"\w+")?;
    let builder = StreamsBuilder::new();
    builder
        .stream::<Option<String>, String>("lines")
        .flat_map_values(move |line: String| {
            word.find_iter(&line).map(|word| word.as_str().to_lowercase()).collect::<Vec<_>>()
        })
        .group_by("by-word", |_key, word: String| (word.clone(), word))
        .count("counts")
        .to_stream()
        .to("word-counts");
    Ok(builder.build()?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(bootstrap), Some(state_dir)) = (args.next(), args.next()) else {
        return Err("usage: word_count HOST:PORT STATE_DIR".into());
    };
    let worker = Worker::start(WorkerConfig {
        bootstrap,
        application_id: "word-count".to_owned(),
        state_dir: PathBuf::from(state_dir),
        topology: Arc::new(topology()?),
        commit_interval_ms: 200,
        admin_listen: None,
    })
    .await?;
    println!("counting");
    tokio::signal::ctrl_c().await?;
    worker.shutdown().await;
    Ok(())
}
