use protocol::records::Batch;
use storage::log::{AppendError, Appended, FlushPlan};

use crate::replica::Role;
use crate::{Changed, Replica};

impl Replica {
    /// Appends a batch as leader. The caller has validated it, asked [`Replica::admit`] and the producers' state.
    ///
    /// # Errors
    /// [`AppendError`]; nothing has changed then.
    pub fn append(
        &mut self,
        batch: &Batch,
        append_time_ms: Option<i64>,
        wall_ms: i64,
    ) -> Result<(Appended, Changed), AppendError> {
        let epoch = self.assignment.leader_epoch;
        let end = self.log.end_offset();
        let appended = self.log.append(batch, epoch, append_time_ms, wall_ms)?;
        if let Role::Leader(leader) = &mut self.role {
            leader.outgrows(end);
        }
        let committed = self.advance();
        Ok((appended, Changed { committed, grown: true, ..Changed::default() }))
    }

    /// Notes that `plan` has run: what it covered is on disk.
    pub fn flushed(&mut self, plan: &FlushPlan) -> Changed {
        let end = plan.end();
        if self.log.flushed(plan) && end.offset > self.durable.offset {
            self.durable = end;
        }
        Changed { committed: self.advance(), ..Changed::default() }
    }

    /// Whether something in the log is not on disk.
    pub fn needs_flush(&self) -> bool {
        self.durable.offset < self.log.end_offset()
    }
}
