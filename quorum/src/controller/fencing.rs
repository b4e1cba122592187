//! What happens to the partitions of a broker that comes, goes, or is about to go.

use super::partition_edit::PartitionEdit;
use super::rules::TopicRules;
use super::{Controller, Draft};
use crate::image::PartitionImage;
use crate::record::MetadataRecord;

/// What a broker has lost when it registers again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// Nothing: it stopped cleanly, or keeps on disk whatever it acknowledges.
    Nothing,
    /// Perhaps the end of its logs.
    Tail,
    /// Everything: another disk.
    Disk,
}

/// A broker is not there any more: it leads nothing and is in no ISR; where it was the last, it stays eligible.
pub(super) fn fenced(controller: &Controller, draft: &mut Draft, broker: i32) {
    edit_all(controller, draft, |edit, partition| {
        let touched = partition.leader == broker || partition.isr.contains(&broker);
        touched.then(|| edit.without(broker))
    });
}

/// A broker is about to stop. Whatever others can lead, they lead from now on; where it is alone it stays, because
/// nothing is gained by leaving nobody.
pub(super) fn shutting_down(controller: &Controller, draft: &mut Draft, broker: i32) {
    let image = draft.image.clone();
    edit_all(controller, draft, |edit, partition| {
        let others = partition.isr.iter().any(|id| *id != broker && image.is_active(*id));
        let touched = others && partition.isr.contains(&broker);
        touched.then(|| edit.without(broker))
    });
}

/// A broker cannot write any more: whatever others can lead, they lead from now on, and nobody waits for it. Where it is the
/// last one that has everything it stays leader, because what it has can still be read.
pub(super) fn log_dir_offline(controller: &Controller, draft: &mut Draft, broker: i32) {
    let image = draft.image.clone();
    edit_all(controller, draft, |edit, partition| {
        let mut holders = partition.isr.iter().chain(partition.elr.iter());
        let others = holders.any(|id| *id != broker && image.is_active(*id));
        let touched = partition.leader == broker || partition.isr.contains(&broker);
        (touched && others).then(|| edit.without(broker))
    });
}

/// A broker shall lead nothing, but stays in sync. `avoid`: who shall not lead instead.
pub(super) fn drained(controller: &Controller, draft: &mut Draft, broker: i32, avoid: &[i32]) {
    let image = draft.image.clone();
    edit_all(controller, draft, |edit, partition| {
        let can = |id: &i32| !avoid.contains(id) && image.is_active(*id);
        let next =
            partition.replicas.iter().copied().find(|id| partition.isr.contains(id) && can(id));
        match next {
            Some(next) if partition.leader == broker => Some(edit.led_by(next)),
            _ => None,
        }
    });
}

/// A broker can lead: partitions without a leader look again.
pub(super) fn unfenced(controller: &Controller, draft: &mut Draft, broker: i32) {
    edit_all(controller, draft, |edit, partition| {
        (partition.leader < 0 && partition.replicas.contains(&broker)).then_some(edit)
    });
}

/// A broker registers anew and is fenced until it is up to date. What others can lead, they lead. Where it is the only
/// one in sync and lost nothing, it stays leader under a new epoch, by which followers and consumers find out what its
/// log may lack of what was never committed (KIP-101, KIP-320).
pub(super) fn registered(controller: &Controller, draft: &mut Draft, broker: i32, loss: Loss) {
    edit_all(controller, draft, |edit, partition| {
        let counts = |ids: &[i32]| ids.contains(&broker);
        let touched = partition.leader == broker
            || counts(&partition.isr)
            || (loss != Loss::Nothing && counts(&partition.elr))
            || (loss == Loss::Disk && counts(&partition.last_known_elr));
        if !touched {
            return None;
        }
        Some(match loss {
            Loss::Disk => edit.lost_disk(broker),
            Loss::Tail => edit.lost_tail(broker),
            #[cfg(feature = "planted")]
            Loss::Nothing
                if controller.has(super::Planted::NoNewEpoch) && *partition.isr == [broker] =>
            {
                edit.expecting(broker)
            }
            Loss::Nothing if *partition.isr == [broker] => edit.expecting(broker).new_epoch(),
            Loss::Nothing => edit.without(broker),
        })
    });
}

/// Offers an edit of each partition to `change`, and makes those that it gives back. Each is decided on the image as it
/// was before, which is right because partitions do not depend on each other.
pub(super) fn edit_all<F>(controller: &Controller, draft: &mut Draft, change: F)
where
    F: for<'a> Fn(PartitionEdit<'a>, &'a PartitionImage) -> Option<PartitionEdit<'a>>,
{
    let image = &draft.image;
    let mut records = Vec::new();
    for topic in image.topics().iter() {
        let rules = TopicRules::of(controller, image, topic);
        for (index, partition) in topic.iter() {
            let edit = PartitionEdit::new(image, rules, topic.id, index, partition);
            let change = change(edit, partition).and_then(PartitionEdit::build);
            records.extend(change.map(MetadataRecord::PartitionChange));
        }
    }
    draft.add(records);
}
