//! A broker's life, as `broker::cluster::lifecycle` leads it: it registers, catches up, is unfenced, keeps saying that it is
//! there, and gives its leaderships away before it stops.

use storage::Writes;

use super::HEARTBEAT_MS;
use super::calls::Purpose;
use super::message::{Call, Reply};
use super::world::{Event, Task, World};

/// Longest wait for an answer, a change of controller included.
const REQUEST_MS: u64 = 2_000;
const REGISTER_BACKOFF_MS: u64 = 100;
/// Pause between heartbeats of a broker that waits for something.
const EAGER_MS: u64 = 20;
/// A stop waits so long for a controller to answer at all, and so long for leaderships to move.
const UNANSWERED_STOP_MS: u64 = 1_500;
const STOP_MS: u64 = 6_000;

impl World {
    pub(super) fn register(&mut self, machine: usize) -> Result<(), String> {
        let directory = self.machines[machine].directory_id;
        let Some(process) = self.process(machine) else { return Ok(()) };
        let known = process.broker_epoch;
        let call = Call::Register {
            broker: machine as i32,
            incarnation: process.incarnation,
            directory,
            // Within one life nothing is lost.
            previous_epoch: if known >= 0 { known } else { process.previous_epoch },
        };
        self.call(machine, call, Purpose::Register, REQUEST_MS);
        Ok(())
    }

    pub(super) fn registered(
        &mut self,
        machine: usize,
        reply: Option<Reply>,
    ) -> Result<(), String> {
        self.say(|| format!("{machine} registers: {reply:?}"));
        let Some(process) = self.process(machine) else { return Ok(()) };
        match reply {
            Some(Reply::Registered(Ok(epoch))) => {
                process.broker_epoch = epoch;
                self.task(machine, 1, Task::Apply);
                self.task(machine, 2, Task::Beat);
            }
            _ => self.task(machine, REGISTER_BACKOFF_MS, Task::Register),
        }
        Ok(())
    }

    /// One heartbeat, when this broker acts by an image that holds its registration.
    pub(super) fn beat(&mut self, machine: usize) -> Result<(), String> {
        let Some(process) = self.process(machine) else { return Ok(()) };
        let id = machine as i32;
        let knows = process.applied.broker(id).is_some_and(|b| b.epoch >= process.broker_epoch);
        if !(knows && process.opened) && process.stopping.is_none() {
            self.task(machine, EAGER_MS, Task::Beat);
            return Ok(());
        }
        let stopping = process.stopping.is_some();
        self.send_heartbeat(machine, stopping, Purpose::Beat { stopping });
        Ok(())
    }

    /// The disk takes no writes any more, or takes them again: the controller hears of it at once.
    pub(super) fn tell_writes(&mut self, machine: usize) -> Result<(), String> {
        let Some(process) = self.process(machine) else { return Ok(()) };
        if process.broker_epoch >= 0 && process.stopping.is_none() {
            self.send_heartbeat(machine, false, Purpose::Tell);
        }
        Ok(())
    }

    fn send_heartbeat(&mut self, machine: usize, stopping: bool, purpose: Purpose) {
        let directory = self.machines[machine].directory_id;
        let Some(process) = self.process(machine) else { return };
        let offline = (process.gate.lock().writes() != Writes::Open).then_some(directory);
        let offline_log_dirs = offline.into_iter().collect();
        let (epoch, metadata_offset) = (process.broker_epoch, process.applied.offset());
        let id = machine as i32;
        let call = Call::Heartbeat {
            broker: id,
            epoch,
            metadata_offset,
            want_shut_down: stopping,
            offline_log_dirs,
        };
        let timeout = REQUEST_MS.min(HEARTBEAT_MS);
        self.call(machine, call, purpose, timeout);
    }

    pub(super) fn beaten(
        &mut self,
        machine: usize,
        stopping: bool,
        reply: Option<Reply>,
    ) -> Result<(), String> {
        if self.process(machine).is_some_and(|process| process.stopping.is_some()) {
            return self.leaving(machine, stopping, reply);
        }
        let Some(process) = self.process(machine) else { return Ok(()) };
        let mut pause = HEARTBEAT_MS;
        match reply {
            Some(Reply::Heartbeat(Ok(answer))) => {
                if answer.is_fenced {
                    pause = EAGER_MS;
                } else {
                    process.serving = true;
                }
            }
            Some(Reply::Heartbeat(Err(_))) => {
                self.say(|| format!("{machine} is not known to the controller"));
                return self.register(machine);
            }
            _ => pause = EAGER_MS,
        }
        self.task(machine, pause, Task::Beat);
        Ok(())
    }

    /// An administrator stops the broker as it should be done.
    pub(super) fn stop(&mut self, machine: usize) -> Result<(), String> {
        let now = self.now();
        let Some(process) = self.process(machine) else { return Ok(()) };
        if process.stopping.is_some() {
            return Ok(());
        }
        process.stopping = Some(now);
        process.stop_answered = now;
        if process.broker_epoch < 0 {
            return self.close(machine);
        }
        self.say(|| format!("{machine} is to stop"));
        // The heartbeat that is due does the rest; it may be a while away.
        self.beat(machine)
    }

    fn leaving(
        &mut self,
        machine: usize,
        stopping: bool,
        reply: Option<Reply>,
    ) -> Result<(), String> {
        let now = self.now();
        let Some(process) = self.process(machine) else { return Ok(()) };
        match reply {
            // Somebody else is this broker by now: nothing is left to give away.
            Some(Reply::Heartbeat(Err(_))) => return self.close(machine),
            Some(Reply::Heartbeat(Ok(answer))) if stopping && answer.should_shut_down => {
                return self.close(machine);
            }
            Some(Reply::Heartbeat(Ok(_))) => process.stop_answered = now,
            _ => {}
        }
        let begun = process.stopping.unwrap_or(now);
        if now > begun + STOP_MS || now > process.stop_answered + UNANSWERED_STOP_MS {
            return self.close(machine);
        }
        self.task(machine, EAGER_MS, Task::Beat);
        Ok(())
    }

    /// The end of a stop: logs closed, checkpoints written, the epoch noted.
    fn close(&mut self, machine: usize) -> Result<(), String> {
        self.say(|| format!("{machine} stops"));
        if let Some(process) = self.process(machine) {
            let mut all_closed = true;
            for hosted in process.partitions.values_mut() {
                // A flush under way ends first: it has taken the leader epochs that are to be written.
                if let Some(plan) = hosted.flushing.take() {
                    all_closed &= plan.run().is_ok();
                }
                all_closed &= hosted.replica.log_mut().close().is_ok();
            }
            let epoch = process.broker_epoch;
            let written = process.checkpoint();
            if all_closed && written.is_ok() {
                let _ = process.log_dir.mark_clean(epoch);
            }
        }
        self.go_down(machine, false);
        self.report.stops += 1;
        let delay = if self.healed { 1 } else { self.random.u64(10..1_500) };
        self.at(delay, Event::Start(machine));
        Ok(())
    }
}
