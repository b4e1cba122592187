//! Following, as `broker::replication::fetcher` does it: one request after another to each leader.

use replica::throttle::Allowance;
use replica::{Divergence, FetchPosition, FromLeader, NextFetch, TakeError, Truncation};
use storage::Writes;
use storage::log::AppendError;

use super::Mistake;
use super::message::{Key, Message, Part};
use super::world::{Task, World};

/// Longest wait for an answer.
const TIMEOUT_MS: u64 = 400;
const BACKOFF_MS: u64 = 40;
/// Longest wait for this machine's own disk before a fetch goes out without those partitions that are not flushed.
const FLUSH_WAIT_MS: u64 = 500;

/// Fetches from one leader.
#[derive(Debug, Default)]
pub(super) struct Fetcher {
    /// The request that is under way, and what it asked for.
    asked: Option<(u64, Vec<(Key, FetchPosition)>)>,
    /// Since when it waits for this machine's own disk.
    flushes_since: Option<u64>,
}

impl World {
    /// Sends the next request to a leader, unless one is under way.
    pub(super) fn fetch_round(&mut self, machine: usize, leader: i32) -> Result<(), String> {
        let now = self.now();
        let Some(process) = self.process(machine) else { return Ok(()) };
        if process.broker_epoch < 0 || leader < 0 {
            return Ok(());
        }
        if process.gate.lock().writes() != Writes::Open {
            // Asked again when there is room.
            return Ok(());
        }
        if process.fetchers.get(&leader).is_some_and(|fetcher| fetcher.asked.is_some()) {
            return Ok(());
        }
        let mono = self.machines[machine].mono(now);
        let (mut parts, mut flushes, mut backs_off) = (Vec::new(), Vec::new(), false);
        let (mut limited, mut pause) = (false, None::<u64>);
        let Some(process) = &self.machines[machine].process else { return Ok(()) };
        for (key, hosted) in &process.partitions {
            if hosted.replica.assignment().leader != leader {
                continue;
            }
            if hosted.failing.1 > now {
                backs_off = true;
                continue;
            }
            match hosted.replica.next_fetch() {
                NextFetch::From(position) => {
                    let limits = self.limits_of_taking(hosted, machine);
                    // Another partition of the same request may have been given what may go.
                    let wait_ms = match process.taking.lock().allowance(limits, mono) {
                        Allowance::After(ms) => Some(ms),
                        Allowance::Bytes(bytes) => {
                            let second = bytes < u64::MAX && std::mem::replace(&mut limited, true);
                            second.then_some(1)
                        }
                    };
                    match wait_ms {
                        Some(ms) => pause = Some(pause.map_or(ms, |least| least.min(ms))),
                        None => parts.push((*key, position)),
                    }
                }
                NextFetch::AfterFlush => flushes.push(*key),
                NextFetch::None => {}
            }
        }
        if let Some(ms) = pause {
            self.report.held_back += 1;
            if !self.has(Mistake::PauseNeverEnds) {
                self.task(machine, ms, Task::Fetch(leader));
            }
        }
        let Some(process) = self.process(machine) else { return Ok(()) };
        let fetcher = process.fetchers.entry(leader).or_default();
        let waits = if flushes.is_empty() {
            fetcher.flushes_since = None;
            false
        } else {
            now < *fetcher.flushes_since.get_or_insert(now) + FLUSH_WAIT_MS
        };
        for key in flushes {
            // The flush's end wakes this fetcher again.
            self.request_flush(machine, key);
        }
        if waits {
            self.task(machine, FLUSH_WAIT_MS, Task::Fetch(leader));
            return Ok(());
        }
        if backs_off {
            self.task(machine, BACKOFF_MS, Task::Fetch(leader));
        }
        if parts.is_empty() {
            return Ok(());
        }
        let Some(process) = self.process(machine) else { return Ok(()) };
        let id = process.id();
        let broker_epoch = process.broker_epoch;
        let fetcher = process.fetchers.entry(leader).or_default();
        fetcher.asked = Some((id, parts.clone()));
        self.task(machine, TIMEOUT_MS, Task::FetchTimeout(leader, id));
        self.send(machine, leader as usize, Message::Fetch { id, broker_epoch, parts });
        Ok(())
    }

    pub(super) fn fetch_timeout(
        &mut self,
        machine: usize,
        leader: i32,
        id: u64,
    ) -> Result<(), String> {
        let Some(process) = self.process(machine) else { return Ok(()) };
        let Some(fetcher) = process.fetchers.get_mut(&leader) else { return Ok(()) };
        if fetcher.asked.as_ref().is_some_and(|(asked, _)| *asked == id) {
            fetcher.asked = None;
            return self.fetch_round(machine, leader);
        }
        Ok(())
    }

    pub(super) fn fetched(
        &mut self,
        machine: usize,
        leader: i32,
        id: u64,
        parts: Vec<(Key, Part)>,
    ) -> Result<(), String> {
        let Some(process) = self.process(machine) else { return Ok(()) };
        let Some(fetcher) = process.fetchers.get_mut(&leader) else { return Ok(()) };
        let Some((_, asked)) = fetcher.asked.take_if(|(asked, _)| *asked == id) else {
            return Ok(());
        };
        for (key, part) in parts {
            if let Some((_, position)) = asked.iter().find(|(of, _)| *of == key) {
                self.take_part(machine, key, *position, part)?;
                if self.machines[machine].process.is_none() {
                    return Ok(());
                }
            }
        }
        self.task(machine, 1, Task::Fetch(leader));
        Ok(())
    }

    fn take_part(
        &mut self,
        machine: usize,
        key: Key,
        position: FetchPosition,
        part: Part,
    ) -> Result<(), String> {
        let (now, (_, wall)) = (self.now(), self.clocks(machine));
        let mono = self.machines[machine].mono(now);
        let known = self.machines[machine].process.as_ref();
        let Some(hosted) = known.and_then(|process| process.partitions.get(&key)) else {
            return Ok(());
        };
        let limits = self.limits_of_taking(hosted, machine);
        let Some(process) = self.process(machine) else { return Ok(()) };
        if process.gate.lock().writes() != Writes::Open {
            return Ok(());
        }
        let Some(hosted) = process.partitions.get_mut(&key) else { return Ok(()) };
        let replica = &mut hosted.replica;
        let truncation = match part {
            Part::Error(error) => {
                self.say(|| format!("{machine} cannot fetch {}: {}", key.1, error.name()));
                let Some(process) = self.process(machine) else { return Ok(()) };
                let Some(hosted) = process.partitions.get_mut(&key) else { return Ok(()) };
                hosted.failing = (0, now + BACKOFF_MS);
                return Ok(());
            }
            Part::Diverging(Divergence { epoch, end_offset }) => {
                replica.diverged(&position, Divergence { epoch, end_offset })
            }
            Part::OutOfRange { start } => replica.out_of_range(&position, start),
            Part::Records { high_watermark, start, records } => {
                if limits.any() {
                    process.taking.lock().took(limits, records.len(), mono);
                }
                let answer =
                    FromLeader { position, high_watermark, log_start_offset: start, records };
                match replica.take(&answer, wall) {
                    Ok(changed) => {
                        hosted.failing.0 = 0;
                        if replica.rules().flush_before_ack && replica.needs_flush() {
                            self.request_flush(machine, key);
                        }
                        self.news(machine, key, changed);
                        return Ok(());
                    }
                    Err(TakeError::BeforeStart { start }) => replica.out_of_range(&position, start),
                    Err(TakeError::Append(error)) => {
                        if let AppendError::Disk(error) = &error {
                            process.gate.lock().refused(error);
                        }
                        hosted.failing.0 += 1;
                        hosted.failing.1 = now + (BACKOFF_MS << hosted.failing.0.min(5));
                        self.look_at_gate(machine);
                        return Ok(());
                    }
                    // Nothing that a network or a disk does can lead to this: a CRC is over everything.
                    Err(error) => return Err(format!("machine {machine}, {}: {error}", key.1)),
                }
            }
        };
        match truncation {
            Some(truncation) => self.truncate(machine, key, truncation),
            None => Ok(()),
        }
    }

    fn truncate(&mut self, machine: usize, key: Key, truncation: Truncation) -> Result<(), String> {
        if self.has(Mistake::NeverTruncates) {
            return Ok(());
        }
        self.say(|| format!("{machine}'s log of {} is {truncation}", key.1));
        self.report.truncations += 1;
        let (_, wall) = self.clocks(machine);
        let Some(process) = self.process(machine) else { return Ok(()) };
        let Some(hosted) = process.partitions.get_mut(&key) else { return Ok(()) };
        if !hosted.replica.prepare(&truncation) {
            return Ok(());
        }
        let log = hosted.replica.log();
        let point = ((hosted.topic.clone(), key.1), log.recovery_point(), log.start_offset());
        if let Err(error) = process.log_dir.write_checkpoints([point]) {
            if error.is_transient() {
                return Ok(());
            }
            return self.disk_failed(machine, &error);
        }
        if let Err(error) = hosted.replica.truncate(&truncation, wall) {
            self.say(|| format!("{machine} cannot truncate: {error}"));
            let of = &self.machines[machine];
            if !of.disk.stops() && !of.disk.is_faulty() {
                return Err(format!("machine {machine} cannot truncate: {error}"));
            }
            let power = self.machines[machine].disk.stops();
            self.die(machine, power);
            return Ok(());
        }
        if hosted.replica.needs_flush() {
            self.request_flush(machine, key);
        }
        Ok(())
    }
}
