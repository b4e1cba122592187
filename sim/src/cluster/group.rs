//! [`Group`]: a consumer group that commits offsets.

use protocol::ErrorCode;

use super::client::{ANSWER_MS, Kind};
use super::message::Message;
use super::world::World;

/// A group; every offset that it commits is greater than the one before.
pub(super) struct Group {
    group: usize,
    offset: i64,
    asked: Option<(u64, u64)>,
    after_healing: u32,
}

impl Group {
    pub(super) fn new(group: usize) -> Self {
        Self { group, offset: 0, asked: None, after_healing: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        self.after_healing >= 3
    }
}

impl World {
    pub(super) fn group_acts(&mut self, client: usize) {
        let now = self.now();
        let of = &mut self.clients[client];
        let Some((key, leader, _)) = of.coordinator() else { return };
        let id = of.id();
        let Kind::Group(group) = &mut of.kind else { return };
        if group.is_done() || group.asked.is_some_and(|(_, until)| now < until) {
            return;
        }
        group.asked = Some((id, now + ANSWER_MS));
        // Whether an attempt without an answer has written its offset is not known: the next is another.
        group.offset += 1;
        let (offset, group) = (group.offset, group.group);
        self.client_sends(client, leader, Message::Commit { id, key, group, offset });
    }

    pub(super) fn group_committed(
        &mut self,
        client: usize,
        id: u64,
        result: Result<(), ErrorCode>,
    ) -> Result<(), String> {
        let (healed, key) = (self.healed, self.clients[client].coordinator());
        let Kind::Group(group) = &mut self.clients[client].kind else { return Ok(()) };
        if group.asked.is_none_or(|(asked, _)| asked != id) {
            return Ok(());
        }
        group.asked = None;
        if result.is_err() {
            self.ask_metadata(client);
            return Ok(());
        }
        group.after_healing += u32::from(healed);
        let (number, offset) = (group.group, group.offset);
        match key {
            Some((key, ..)) => self.checker.group_acknowledged(key, number, offset),
            None => Ok(()),
        }
    }
}
