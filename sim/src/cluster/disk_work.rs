//! A broker's work with its disk: flushes, checkpoints, and what happens when it fails.

use std::collections::BTreeSet;

use storage::{DiskError, DiskFailure, Writes};

use super::machine::{Offline, Process};
use super::message::Key;
use super::world::{Task, World};

/// How often it is looked whether a full disk is to be probed.
const PROBE_MS: u64 = 100;

impl Process {
    /// Recovery points, log starts and high watermarks.
    pub(super) fn checkpoint(&self) -> Result<(), DiskError> {
        let name = |(key, hosted): &(&Key, &super::hosted::Hosted)| (hosted.topic.clone(), key.1);
        let points = self.partitions.iter().map(|of| {
            let log = of.1.replica.log();
            (name(&of), log.recovery_point(), log.start_offset())
        });
        self.log_dir.write_checkpoints(points.collect::<Vec<_>>())?;
        let marks = self.partitions.iter();
        let marks = marks.map(|of| (name(&of), of.1.replica.high_watermark().offset));
        self.log_dir.write_high_watermarks(marks.collect::<Vec<_>>())
    }
}

impl World {
    /// Queues a flush of everything that is appended until it begins.
    pub(super) fn request_flush(&mut self, machine: usize, key: Key) {
        let Some(process) = self.process(machine) else { return };
        let Some(hosted) = process.partitions.get_mut(&key) else { return };
        if !std::mem::replace(&mut hosted.flush_queued, true) && hosted.flushing.is_none() {
            let delay = self.random.u64(0..2);
            self.task(machine, delay, Task::Flush(key));
        }
    }

    /// A flush begins: what is in the log now is on the disk when the disk has had its time, and not before.
    pub(super) fn flush(&mut self, machine: usize, key: Key) -> Result<(), String> {
        let slow = self.machines[machine].sync_ms;
        let Some(process) = self.process(machine) else { return Ok(()) };
        let Some(hosted) = process.partitions.get_mut(&key) else { return Ok(()) };
        if hosted.flushing.is_some() {
            return Ok(());
        }
        hosted.flush_queued = false;
        hosted.flushing = Some(hosted.replica.log_mut().plan_flush());
        let delay = self.random.u64(0..=slow);
        self.task(machine, delay, Task::Flushed(key));
        Ok(())
    }

    pub(super) fn flushed(&mut self, machine: usize, key: Key) -> Result<(), String> {
        let Some(process) = self.process(machine) else { return Ok(()) };
        let Some(hosted) = process.partitions.get_mut(&key) else { return Ok(()) };
        let Some(plan) = hosted.flushing.take() else { return Ok(()) };
        let changed = match plan.run() {
            Ok(()) => hosted.replica.flushed(&plan),
            Err(error) => {
                hosted.replica.log_mut().flush_failed(&plan, &error);
                process.gate.lock().refused(&error);
                let waits = std::mem::take(&mut hosted.waits);
                self.fail_waits(machine, key, waits, protocol::ErrorCode::KAFKA_STORAGE_ERROR);
                if !error.is_transient() && error.failure != DiskFailure::NotFound {
                    return self.disk_failed(machine, &error);
                }
                // A full disk is not the end; it is asked again when there is something to do.
                self.task(machine, 50, Task::Flush(key));
                self.look_at_gate(machine);
                return Ok(());
            }
        };
        let again = hosted.flush_queued;
        let follows = hosted.replica.is_follower();
        let leader = hosted.replica.assignment().leader;
        if again {
            self.task(machine, 0, Task::Flush(key));
        }
        if follows {
            self.task(machine, 0, Task::Fetch(leader));
        }
        self.news(machine, key, changed);
        Ok(())
    }

    /// When the disk has filled up: says so, and looks for room until there is some.
    pub(super) fn look_at_gate(&mut self, machine: usize) {
        let Some(process) = self.process(machine) else { return };
        let full = process.gate.lock().writes() == Writes::Full;
        if full && !std::mem::replace(&mut process.probing, true) {
            self.report.full_disks += 1;
            self.say(|| format!("{machine} takes no records: its disk is full"));
            self.task(machine, 0, Task::TellWrites);
            self.task(machine, PROBE_MS, Task::Probe);
        }
    }

    pub(super) fn probe(&mut self, machine: usize) -> Result<(), String> {
        let mono = self.machines[machine].mono(self.now());
        let Some(process) = self.process(machine) else { return Ok(()) };
        let due = process.gate.lock().probe_is_due(mono);
        if due {
            match process.reserve.probe() {
                Err(error) if !error.is_transient() => return self.disk_failed(machine, &error),
                found => {
                    let opened = process.gate.lock().probed(found.is_ok(), mono);
                    if opened {
                        process.probing = false;
                        // What could not be opened for want of room is.
                        process.offline.values_mut().for_each(|of| *of = Offline::MayOpen);
                        let hosted = process.partitions.values();
                        let leaders: BTreeSet<i32> =
                            hosted.map(|hosted| hosted.replica.assignment().leader).collect();
                        self.say(|| format!("{machine} takes records again"));
                        self.task(machine, 0, Task::Apply);
                        for leader in leaders {
                            self.task(machine, 1, Task::Fetch(leader));
                        }
                        return self.tell_writes(machine);
                    }
                }
            }
        }
        self.task(machine, PROBE_MS, Task::Probe);
        Ok(())
    }

    /// A process whose disk fails ends: what it would say about its disk cannot be trusted any more.
    pub(super) fn disk_failed(&mut self, machine: usize, error: &DiskError) -> Result<(), String> {
        let of = &self.machines[machine];
        if !of.disk.stops() && !of.disk.is_faulty() {
            return Err(format!("machine {machine}: {error}, and the disk is as it should be"));
        }
        self.say(|| format!("{machine}'s disk fails: {error}"));
        let power = self.machines[machine].disk.stops();
        self.die(machine, power);
        Ok(())
    }

    /// Checkpoints every now and then; memory of old producers and logs is given back.
    pub(super) fn housekeeping(&mut self, machine: usize) -> Result<(), String> {
        let (_, wall) = self.clocks(machine);
        let Some(process) = self.process(machine) else { return Ok(()) };
        let mut failed = None;
        for hosted in process.partitions.values_mut() {
            let mark = hosted.replica.high_watermark().offset;
            let log = hosted.replica.log_mut();
            failed = failed.or(log.apply_retention(mark, wall).err());
            log.cool();
            log.expire_producers(wall, 24 * 3_600_000);
        }
        if let Some(error) = failed.filter(|error| !error.is_transient()) {
            return self.disk_failed(machine, &error);
        }
        if let Err(error) = process.checkpoint()
            && !error.is_transient()
        {
            return self.disk_failed(machine, &error);
        }
        let delay = self.random.u64(300..2_000);
        self.task(machine, delay, Task::Housekeeping);
        Ok(())
    }
}
