//! What has to come about once everything is healed.

use super::client::{Kind, topic_of};
use super::message::Key;
use super::world::World;
use super::{CHURN_TOPIC, DATA_TOPIC, OFFSETS_TOPIC};

impl World {
    /// What is not as it should be at the end, if anything.
    pub(super) fn open_ends(&self) -> Option<String> {
        self.machines_lack()
            .or_else(|| self.folders_lack())
            .or_else(|| self.metadata_lacks())
            .or_else(|| self.partitions_lack())
            .or_else(|| self.clients_lack())
    }

    fn machines_lack(&self) -> Option<String> {
        self.machines.iter().find_map(|machine| {
            let Some(process) = &machine.process else {
                return Some(format!("{} is down", machine.id));
            };
            if !process.serving || process.stopping.is_some() || !process.offline.is_empty() {
                return Some(format!("{} does not serve", machine.id));
            }
            let fenced = process.applied.broker(machine.id as i32).is_none_or(|b| !b.is_active());
            fenced.then(|| format!("{} is fenced", machine.id))
        })
    }

    fn metadata_lacks(&self) -> Option<String> {
        if !self.voters_are_whole() {
            return Some("the voters are not what they should be".to_owned());
        }
        let last = self.checker.notes.acknowledged.last_key_value().map_or(0, |(last, _)| *last);
        if last < self.admin.after_healing {
            return Some("the controller acknowledges nothing".to_owned());
        }
        self.machines.iter().find_map(|machine| {
            let process = machine.process.as_ref()?;
            let epoch = process.quorum.epoch();
            let before =
                self.checker.notes.has_all_before(&process.quorum, self.admin.after_healing);
            before.err().map(|what| format!("{} in epoch {epoch}: {what}", machine.id))
        })
    }

    fn partitions_lack(&self) -> Option<String> {
        let image = self.checker.metadata.newest()?;
        let churn = self.plan.churns.then_some(CHURN_TOPIC);
        for topic in [DATA_TOPIC, OFFSETS_TOPIC].into_iter().chain(churn) {
            let Some(topic) = image.topic(topic) else {
                return Some(format!("there is no topic {topic}"));
            };
            for (index, of) in topic.iter() {
                if of.leader < 0 || of.isr.len() < of.replicas.len() || of.is_reassigning() {
                    return Some(format!("{}-{index} is {of:?}", topic.name));
                }
                if let Some(what) = self.replicas_lack((topic.id, index), &of.replicas) {
                    return Some(what);
                }
            }
        }
        None
    }

    /// All replicas end where all that is in them is committed.
    fn replicas_lack(&self, key: Key, replicas: &[i32]) -> Option<String> {
        let mut ends = Vec::new();
        for id in replicas {
            let process = self.machines[*id as usize].process.as_ref()?;
            let Some(hosted) = process.partitions.get(&key) else {
                return Some(format!("{id} has no replica of {}", key.1));
            };
            if hosted.coordinator.as_ref().is_some_and(|coordinator| !coordinator.loaded) {
                return Some(format!("{id} does not know its groups yet"));
            }
            let end = hosted.replica.log().end_offset();
            ends.push((*id, end, hosted.replica.high_watermark().offset));
        }
        let first = ends.first()?.1;
        let same = ends.iter().all(|(_, end, mark)| *end == first && *mark == first);
        (!same).then(|| format!("replicas of {} end at, and know as committed: {ends:?}", key.1))
    }

    fn clients_lack(&self) -> Option<String> {
        let image = self.checker.metadata.newest()?;
        let topics = |lane| topic_of(image, &self.plan, lane);
        for (number, client) in self.clients.iter().enumerate() {
            match &client.kind {
                Kind::Producer(producer) if !producer.is_done(topics) => {
                    return Some(format!("client {number} has not produced all"));
                }
                Kind::Member(member) if member.settled().is_none() => {
                    return Some(format!("client {number} has not settled in its group"));
                }
                Kind::Consumer(consumer) => {
                    for lane in (0..self.plan.lanes()).filter(|lane| topics(*lane).is_some()) {
                        let (end, at) = (self.end_of(lane), consumer.position(lane));
                        if (topics(lane), end) != (at.0, Some(at.1)) {
                            return Some(format!(
                                "client {number} is at {at:?} of {lane}, not {end:?}"
                            ));
                        }
                    }
                }
                _ => {}
            }
        }
        (0..self.plan.groups).find_map(|group| self.group_lacks(group))
    }

    /// All members are of one generation, and have all partitions among them.
    fn group_lacks(&self, group: usize) -> Option<String> {
        let settled: Vec<_> = self
            .clients
            .iter()
            .filter_map(|client| match &client.kind {
                Kind::Member(member) if member.group == group => member.settled(),
                _ => None,
            })
            .collect();
        let same = settled.windows(2).all(|two| two[0].0 == two[1].0);
        let count: usize = settled.iter().map(|(_, assigned)| assigned.len()).sum();
        let all = i32::try_from(count) == Ok(self.plan.lanes());
        (!(same && all)).then(|| format!("group {group} is not one: {settled:?}"))
    }

    fn end_of(&self, lane: i32) -> Option<i64> {
        let (topic, index) = self.plan.lane(lane);
        let topic = self.checker.metadata.newest()?.topic(topic)?;
        let leader = topic.partition(index)?.leader;
        let process = self.machines.get(usize::try_from(leader).ok()?)?.process.as_ref()?;
        Some(process.partitions.get(&(topic.id, index))?.replica.log().end_offset())
    }

    /// At the end every replica has all that was ever committed, and coordinators know the last of each group.
    pub(super) fn check_logs(&self) -> Result<(), String> {
        for machine in &self.machines {
            let Some(process) = &machine.process else { continue };
            for (key, hosted) in &process.partitions {
                let id = machine.id as i32;
                let newest = self.checker.metadata.newest();
                if newest.is_none_or(|image| !image.hosts(id, &key.0, key.1)) {
                    // It is about to learn that this is not its any more.
                    continue;
                }
                let name = (machine.id, &hosted.topic, key.1);
                self.checker.has_all(*key, hosted).map_err(|e| format!("{name:?}: {e}"))?;
                self.checker.topics.holds_its_own(machine.id, *key, hosted)?;
                if hosted.is_offsets() {
                    let log = hosted.replica.log();
                    let batches = hosted.batches(log.start_offset(), log.end_offset())?;
                    let mut all = super::coordinator::Coordinator::new(-1);
                    all.load(&batches, self.group_now(machine.id))?;
                    self.checker.coordinator_loaded(*key, i32::MAX, &all)?;
                    self.same_offsets(hosted, &all)?;
                }
            }
        }
        Ok(())
    }

    fn same_offsets(
        &self,
        hosted: &super::hosted::Hosted,
        all: &super::coordinator::Coordinator,
    ) -> Result<(), String> {
        let Some(served) = &hosted.coordinator else { return Ok(()) };
        for group in 0..self.plan.groups {
            for lane in 0..self.plan.lanes() {
                let Some(image) = self.checker.metadata.newest() else { return Ok(()) };
                let Some(topic_id) = topic_of(image, &self.plan, lane) else { continue };
                let (topic, index) = self.plan.lane(lane);
                let told = served.offset(group, (topic, Some(&topic_id)), index);
                let written = all.offset(group, (topic, Some(&topic_id)), index);
                if told != written {
                    return Err(format!(
                        "group {group} is told {told} of {lane}, and has committed {written}"
                    ));
                }
            }
        }
        Ok(())
    }
}
