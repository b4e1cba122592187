//! Who is in sync: leaders' proposals on their way to the controller, as `broker::replication::isr` sends them.

use protocol::ErrorCode;
use quorum::controller::IsrChange;
use replica::{IsrOutcome, IsrProposal};

use super::calls::Purpose;
use super::message::{Call, Key, Reply};
use super::world::{Task, World};

/// Longest wait for an answer, a change of controller included.
const TIMEOUT_MS: u64 = 2_000;
/// Pause after proposals without effect.
const BACKOFF_MS: u64 = 50;

impl World {
    /// A follower has become fit to join.
    pub(super) fn want_isr(&mut self, machine: usize) {
        let Some(process) = self.process(machine) else { return };
        if !std::mem::replace(&mut process.isr_due, true) {
            self.task(machine, 1, Task::Isr);
        }
    }

    /// Proposes what is due, of all partitions or of those whose followers have caught up. One batch at a time.
    pub(super) fn propose_isr(&mut self, machine: usize, all: bool) -> Result<(), String> {
        let (now, _) = self.clocks(machine);
        let Some(process) = self.process(machine) else { return Ok(()) };
        if process.altering {
            return Ok(());
        }
        process.isr_due = false;
        let image = std::sync::Arc::clone(&process.applied);
        let eligible = |id: i32, epoch: i64| {
            image.broker(id).is_some_and(|b| b.is_active() && (epoch < 0 || epoch == b.epoch))
        };
        let (mut proposals, mut news) = (Vec::new(), Vec::new());
        for (key, hosted) in &mut process.partitions {
            if !(all || hosted.isr_wanted) || hosted.replica.assignment().replicas.len() < 2 {
                continue;
            }
            hosted.isr_wanted = false;
            news.push((*key, hosted.replica.tick(now)));
            if let Some(proposal) = hosted.replica.propose(now, eligible) {
                proposals.push((*key, proposal));
            }
        }
        process.altering = !proposals.is_empty();
        let own = (machine as i32, process.broker_epoch);
        for (key, changed) in news {
            self.news(machine, key, changed);
        }
        if proposals.is_empty() {
            return Ok(());
        }
        let change = |(key, proposal): &(Key, IsrProposal)| IsrChange {
            topic_id: key.0,
            partition: key.1,
            leader_epoch: proposal.leader_epoch,
            partition_epoch: proposal.partition_epoch,
            // As `broker::replication::alter_partition`: its own registration is this broker's to fill in.
            isr: proposal.isr.iter().map(|of| if of.0 == own.0 { own } else { *of }).collect(),
        };
        let changes = proposals.iter().map(change).collect();
        self.say(|| format!("{machine} proposes {changes:?}"));
        let call = Call::Alter { broker: own.0, epoch: own.1, changes };
        self.call(machine, call, Purpose::Isr(proposals), TIMEOUT_MS);
        Ok(())
    }

    pub(super) fn isr_answered(
        &mut self,
        machine: usize,
        proposals: Vec<(Key, IsrProposal)>,
        reply: Option<Reply>,
    ) -> Result<(), String> {
        let (now, _) = self.clocks(machine);
        let mut answers = match reply {
            Some(Reply::Altered(Some(answers))) => answers,
            _ => Vec::new(),
        }
        .into_iter();
        let mut undecided = false;
        for (key, proposal) in proposals {
            let outcome = match answers.next() {
                Some(Ok(state)) => IsrOutcome::Decided {
                    leader: state.leader,
                    leader_epoch: state.leader_epoch,
                    partition_epoch: state.partition_epoch,
                    isr: state.isr.to_vec(),
                },
                Some(Err(ErrorCode::INELIGIBLE_REPLICA | ErrorCode::INVALID_REQUEST)) => {
                    IsrOutcome::Refused
                }
                _ => IsrOutcome::Unknown,
            };
            undecided |= !matches!(outcome, IsrOutcome::Decided { .. });
            let Some(process) = self.process(machine) else { return Ok(()) };
            let Some(hosted) = process.partitions.get_mut(&key) else { continue };
            let changed = hosted.replica.isr_answered(&proposal, outcome, now);
            self.news(machine, key, changed);
        }
        let Some(process) = self.process(machine) else { return Ok(()) };
        process.altering = false;
        let delay = if undecided { BACKOFF_MS } else { 1 };
        if undecided {
            self.task(machine, delay, Task::LookAtIsrOnce);
        } else {
            self.task(machine, delay, Task::Isr);
        }
        Ok(())
    }
}
