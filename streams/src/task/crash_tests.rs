//! Crashes at every point of a commit, from a seed: whatever is lost, the final counts are those of the input.
//!
//! A small world stands in for the cluster: logs, group offsets and a "disk" survive a crash, tasks do not. A crash
//! may come after any prefix of what a step sends; the disk may be lost; changelogs are compacted at random.

use super::*;
use crate::store::changelog::COMMIT_HEADER;
use crate::store::{MemoryStores, StateEngine};
use crate::{Datum, Serde, StreamsBuilder, Topology, Value};
use std::collections::HashMap;

const APP: &str = "app";
const LINES: i32 = 2;
const WORDS: i32 = 3;

struct Rng(u64);

impl Rng {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((self.0 >> 33) as usize) % below.max(1)
    }
}

#[derive(Default)]
struct Log {
    records: Vec<Input>,
    next: i64,
    /// From here on nothing is compacted (the active segment).
    active: i64,
}

struct World {
    rng: Rng,
    topology: Topology,
    topic_ids: Arc<BTreeMap<Str, Uuid>>,
    logs: BTreeMap<(Str, i32), Log>,
    group: HashMap<(Str, i32), i64>,
    disk: MemoryStores,
    tasks: Vec<Task>,
    incarnations: u64,
    crashes: u32,
    duplicates: u64,
}

/// The process died.
struct Crash;

fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let words = builder
        .stream::<Option<String>, String>("lines")
        .flat_map_values(|line: String| line.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .group_by("by-word", |_, word: String| (word.clone(), word));
    let counts = words.count("counts");
    words.aggregate("lengths", 0_i64, |_: String, word: String, sum: i64| sum + word.len() as i64);
    // A second round: how many words have been seen so many times.
    counts
        .group_by("by-count", |_: String, count: i64| (count.to_string(), count))
        .count("count-counts")
        .to_stream()
        .to("out");
    builder.build().unwrap()
}

impl World {
    fn new(seed: u64) -> World {
        let topology = topology();
        let mut names = topology.input_topics(APP);
        names.extend(topology.internal_topics(APP).into_iter().map(|t| t.name));
        let topic_ids = names
            .into_iter()
            .zip(1_u128..)
            .map(|(name, i)| (name, Uuid((i << 64 | i).to_be_bytes())));
        World {
            rng: Rng(seed),
            topology,
            topic_ids: Arc::new(topic_ids.collect()),
            logs: BTreeMap::new(),
            group: HashMap::new(),
            disk: MemoryStores::new(),
            tasks: Vec::new(),
            incarnations: 0,
            crashes: 0,
            duplicates: 0,
        }
    }

    fn append(&mut self, topic: &Str, partition: i32, output: Output) -> i64 {
        let log = self.logs.entry((topic.clone(), partition)).or_default();
        let offset = log.next;
        log.next += 1;
        log.records.push(Input {
            topic: topic.clone(),
            partition,
            offset,
            timestamp_ms: output.timestamp_ms,
            key: output.key,
            value: output.value,
            headers: output.headers,
        });
        offset
    }

    fn send(&mut self, output: Output) -> i64 {
        let partition = output.partition.unwrap_or_else(|| {
            let key = output.key.as_ref().map_or(0, |key| key.iter().map(|b| i32::from(*b)).sum());
            key % WORDS
        });
        self.append(&output.topic.clone(), partition, output)
    }

    /// Sends a prefix of `outputs` if the process dies meanwhile.
    fn send_all(&mut self, outputs: Vec<Output>, risk: usize) -> Result<Vec<i64>, Crash> {
        let dies = risk > 0 && self.rng.next(risk) == 0;
        let upto = if dies { self.rng.next(outputs.len() + 1) } else { outputs.len() };
        let offsets = outputs.into_iter().take(upto).map(|output| self.send(output)).collect();
        if dies { Err(Crash) } else { Ok(offsets) }
    }

    fn start(&mut self, risk: usize) -> Result<(), Crash> {
        for (subtopology, part) in self.topology.subtopologies.clone().iter().enumerate() {
            let partitions =
                if part.sources.contains(&Topic::External("lines".into())) { LINES } else { WORDS };
            for partition in 0..partitions {
                let specs = store_specs(&self.topology, subtopology);
                let names: Vec<&str> = specs.iter().map(|s| s.name.as_str()).collect();
                self.incarnations += 1;
                let mut restoring = Restoring::open(TaskParts {
                    id: TaskId { subtopology, partition },
                    topology: &self.topology,
                    application_id: APP,
                    topic_ids: self.topic_ids.clone(),
                    engine: self.disk.open(&names, partition).unwrap(),
                    incarnation: self.incarnations,
                })
                .unwrap();
                for (store, spec) in specs.iter().enumerate() {
                    let from = restoring.next_offset(store);
                    let log = self.logs.entry((spec.changelog(APP), partition)).or_default();
                    assert!(from <= log.next, "the disk is ahead of the changelog");
                    let records = log.records.iter().filter(|r| r.offset >= from).map(|r| {
                        let header = r.headers.iter().find(|(n, _)| *n == COMMIT_HEADER);
                        let row = (r.key.clone().unwrap(), r.value.clone(), r.timestamp_ms);
                        (r.offset, row, header.and_then(|(_, v)| v.clone()))
                    });
                    restoring.apply(store, records.collect::<Vec<_>>()).unwrap();
                }
                let (ready, compensation) = restoring.finish().unwrap();
                let ends = self.send_changelog(compensation, &specs, partition, risk)?;
                self.tasks.push(ready.into_task(&ends).unwrap());
            }
        }
        Ok(())
    }

    fn send_changelog(
        &mut self,
        records: Vec<ChangelogRecord>,
        specs: &[StoreSpec],
        partition: i32,
        risk: usize,
    ) -> Result<Vec<Option<i64>>, Crash> {
        let stores: Vec<usize> = records.iter().map(|r| r.store).collect();
        let outputs = records
            .into_iter()
            .filter_map(|r| changelog_output(r, specs, APP, partition))
            .collect();
        let mut ends = vec![None; specs.len()];
        for (store, offset) in stores.into_iter().zip(self.send_all(outputs, risk)?) {
            ends[store] = Some(offset + 1);
        }
        Ok(ends)
    }

    /// Lets task `i` process some of its input; true if there was any.
    fn process(&mut self, i: usize, risk: usize) -> Result<bool, Crash> {
        let id = self.tasks[i].id();
        let topics: Vec<Str> = self.topology.subtopologies[id.subtopology]
            .sources
            .iter()
            .map(|t| t.full_name(APP))
            .collect();
        let mut any = false;
        for topic in topics {
            let group = self.group.get(&(topic.clone(), id.partition)).copied();
            let known =
                self.tasks[i].positions().find(|(t, p, _)| **t == topic && *p == id.partition);
            let from = known.map(|(_, _, next)| next).or(group).unwrap_or(0);
            let log = self.logs.entry((topic.clone(), id.partition)).or_default();
            let inputs: Vec<Input> =
                log.records.iter().filter(|r| r.offset >= from).cloned().collect();
            let some = if risk == 0 { inputs.len() } else { self.rng.next(inputs.len() + 1) };
            for input in inputs.into_iter().take(some) {
                any = true;
                let (mut out, mut failures) = (Vec::new(), Vec::new());
                self.tasks[i].process(&input, &mut out, &mut failures).unwrap();
                assert!(failures.is_empty(), "{failures:?}");
                self.send_all(out, risk * 40)?;
            }
        }
        Ok(any)
    }

    fn commit(&mut self, i: usize, risk: usize) -> Result<(), Crash> {
        let id = self.tasks[i].id();
        let specs = store_specs(&self.topology, id.subtopology);
        let mut commit = self.tasks[i].begin_commit();
        let changelog = std::mem::take(&mut commit.changelog);
        let ends = self.send_changelog(changelog, &specs, id.partition, risk)?;
        if risk > 0 && self.rng.next(risk) == 0 {
            return Err(Crash);
        }
        self.tasks[i].finish_commit(commit, &ends).unwrap();
        if risk > 0 && self.rng.next(risk) == 0 {
            return Err(Crash);
        }
        for (topic, partition, next) in self.tasks[i].positions() {
            self.group.insert((topic.clone(), partition), next);
        }
        Ok(())
    }

    /// Removes what a later record of the same key replaces, but in the active segment.
    fn compact(&mut self) {
        let changelogs: Vec<(Str, i32)> =
            self.logs.keys().filter(|(t, _)| t.ends_with("-changelog")).cloned().collect();
        for id in changelogs {
            let log = self.logs.get_mut(&id).unwrap();
            let mut latest = HashMap::new();
            for record in log.records.iter().filter(|r| r.offset < log.active) {
                latest.insert(record.key.clone(), record.offset);
            }
            let active = log.active;
            log.records.retain(|r| r.offset >= active || latest[&r.key] == r.offset);
            // A roll needs an append, and what is appended comes after the tail was judged.
            log.active = log.next;
        }
    }

    fn crash(&mut self) {
        self.crashes += 1;
        self.count_duplicates();
        self.tasks.clear();
        if self.rng.next(3) == 0 {
            self.disk = MemoryStores::new();
        }
    }

    fn count_duplicates(&mut self) {
        self.duplicates += self.tasks.iter().map(|t| t.counters().duplicates).sum::<u64>();
    }

    fn live(&mut self, steps: usize, risk: usize) -> Result<(), Crash> {
        if self.tasks.is_empty() {
            self.start(risk)?;
            self.compact();
        }
        for _ in 0..steps {
            let i = self.rng.next(self.tasks.len());
            if self.rng.next(3) == 0 {
                self.commit(i, risk)?;
            } else {
                self.process(i, risk)?;
            }
        }
        Ok(())
    }

    /// Processes what is left, without crashes.
    fn settle(&mut self) {
        assert!(self.start_if_needed().is_ok());
        loop {
            let mut any = false;
            for i in 0..self.tasks.len() {
                any |= matches!(self.process(i, 0), Ok(true));
                assert!(self.commit(i, 0).is_ok());
            }
            if !any {
                return;
            }
        }
    }

    fn start_if_needed(&mut self) -> Result<(), Crash> {
        if self.tasks.is_empty() { self.start(0) } else { Ok(()) }
    }

    fn rows(&self, store: &str) -> BTreeMap<String, i64> {
        self.tasks
            .iter()
            .filter_map(|task| task.rows(store, 10_000))
            .flat_map(|rows| rows.unwrap())
            .map(|(k, v)| (String::from_value(&k).unwrap(), i64::from_value(&v).unwrap()))
            .collect()
    }
}

fn run(seed: u64) -> (u32, u64) {
    let mut world = World::new(seed);
    let words = ["a", "bb", "ccc", "dddd", "eeeee", "f", "g", "hh"];
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    let mut lengths: BTreeMap<String, i64> = BTreeMap::new();
    for _ in 0..40 {
        for _ in 0..3 {
            let line: Vec<&str> =
                (0..1 + world.rng.next(4)).map(|_| words[world.rng.next(words.len())]).collect();
            for word in &line {
                *counts.entry((*word).to_owned()).or_default() += 1;
                *lengths.entry((*word).to_owned()).or_default() += word.len() as i64;
            }
            let value = Serde::String.write(&Value::from(line.join(" "))).unwrap();
            let output = Output {
                topic: "lines".into(),
                partition: None,
                timestamp_ms: 0,
                key: None,
                value,
                headers: Vec::new(),
            };
            let partition = world.rng.next(LINES as usize) as i32;
            world.append(&"lines".into(), partition, output);
        }
        if world.live(12, 6).is_err() {
            world.crash();
        }
    }
    world.settle();
    world.count_duplicates();
    let mut count_counts: BTreeMap<String, i64> = BTreeMap::new();
    for count in counts.values() {
        *count_counts.entry(count.to_string()).or_default() += 1;
    }
    assert_eq!(world.rows("counts"), counts, "seed {seed}");
    assert_eq!(world.rows("lengths"), lengths, "seed {seed}");
    let mut found = world.rows("count-counts");
    found.retain(|_, count| *count != 0);
    assert_eq!(found, count_counts, "seed {seed}");
    (world.crashes, world.duplicates)
}

#[test]
fn counts_are_exact_whenever_the_process_dies() {
    let (mut crashes, mut duplicates) = (0, 0);
    let seeds = std::env::var("VLTAVA_SEEDS").map_or(300, |s| s.parse().unwrap());
    for seed in 0..seeds {
        let (c, d) = run(seed);
        crashes += c;
        duplicates += d;
    }
    assert!(crashes > 1000, "only {crashes} crashes: the test tests nothing");
    assert!(duplicates > 1000, "only {duplicates} duplicates: the test tests nothing");
}
