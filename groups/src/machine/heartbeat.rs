use protocol::{ErrorCode, Str};

use super::{Group, Now, State};

impl Group {
    /// A member says that it lives.
    pub fn heartbeat(
        &mut self,
        member_id: &str,
        instance_id: Option<&Str>,
        generation: i32,
        now: Now,
    ) -> ErrorCode {
        if self.state == State::Dead {
            return ErrorCode::COORDINATOR_NOT_AVAILABLE;
        }
        if let Err(error) = self.check_member(member_id, instance_id) {
            return error;
        }
        if generation != self.generation {
            return ErrorCode::ILLEGAL_GENERATION;
        }
        if let Some(member) = self.members.get_mut(member_id) {
            member.touch(now);
        }
        match self.state {
            State::PreparingRebalance => ErrorCode::REBALANCE_IN_PROGRESS,
            _ => ErrorCode::NONE,
        }
    }

    /// Whether a commit of offsets is allowed; counts as a sign of life.
    ///
    /// # Errors
    /// Kafka's code for why not.
    pub fn check_commit(
        &mut self,
        member_id: &str,
        instance_id: Option<&Str>,
        generation: i32,
        now: Now,
    ) -> Result<(), ErrorCode> {
        if self.state == State::Dead {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        if generation < 0 && self.state == State::Empty {
            // An administrator, or a consumer that assigns itself.
            return Ok(());
        }
        if generation < 0 && member_id.is_empty() && instance_id.is_none() {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        self.check_member(member_id, instance_id)?;
        if generation != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        if self.state == State::CompletingRebalance {
            // The member has joined this generation, but may not know yet what it is assigned.
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        if let Some(member) = self.members.get_mut(member_id) {
            member.touch(now);
        }
        Ok(())
    }
}
