//! What the controller makes of brokers whose log directory takes no writes (KIP-858).

use super::*;

impl World {
    /// Broker `id` (with the data folder that [`World::new`] gives it) says whether it can write.
    pub(super) fn says(&mut self, id: i32, can_write: bool) -> HeartbeatAnswer {
        let directory = self.controller.image().broker(id).unwrap().directory_id;
        let command = BrokerHeartbeat {
            broker_id: id,
            broker_epoch: self.epoch_of(id),
            metadata_offset: self.controller.image().offset(),
            want_fence: false,
            want_shut_down: false,
            offline_log_dirs: if can_write { Vec::new() } else { vec![directory] },
            now_ms: self.now_ms,
        };
        self.run(command).unwrap()
    }
}

#[test]
fn a_broker_that_cannot_write_leaves_at_once_and_joins_when_it_can() {
    let mut world = world_with(3, &[0, 1, 2], 2);
    let epoch = world.at("t").leader_epoch;
    assert!(!world.says(0, false).is_fenced, "it goes on serving what it has");
    assert_eq!(world.roles("t"), (1, vec![1, 2], vec![]));
    assert_eq!(world.at("t").leader_epoch, epoch + 1);
    assert_eq!(world.set_isr("t", &[1, 2, 0]), Err(IsrError::Ineligible(0)));
    let before = world.controller.image().offset();
    world.says(0, false);
    assert_eq!(world.controller.image().offset(), before, "nothing new is said");
    world.says(0, true);
    world.set_isr("t", &[1, 2, 0]).unwrap();
    assert_eq!(world.roles("t"), (1, vec![1, 2, 0], vec![]));
    // A directory of another broker is none of its own.
    let other = world.controller.image().broker(1).unwrap().directory_id;
    let command = BrokerHeartbeat {
        broker_id: 2,
        broker_epoch: world.epoch_of(2),
        metadata_offset: before,
        want_fence: false,
        want_shut_down: false,
        offline_log_dirs: vec![other],
        now_ms: world.now_ms,
    };
    world.run(command).unwrap();
    assert!(world.controller.image().is_active(2));
}

#[test]
fn the_last_one_that_has_everything_leads_on_until_somebody_can_write() {
    let mut world = world_with(3, &[0, 1, 2], 2);
    for id in [0, 1, 2] {
        world.says(id, false);
    }
    assert_eq!(world.roles("t"), (2, vec![2], vec![1]), "2 can be read");
    world.says(1, true);
    // 2 leads a follower that can write, which joins: it takes over.
    let state = world.set_isr("t", &[2, 1]).unwrap();
    assert_eq!((state.leader, &*state.isr), (1, &[1][..]));
    assert_eq!(world.roles("t"), (1, vec![1], vec![2]));
}

#[test]
fn an_eligible_replica_takes_over_from_the_last_in_sync() {
    let mut world = world_with(2, &[0, 1], 2);
    world.set_isr("t", &[0]).unwrap();
    assert_eq!(world.roles("t"), (0, vec![0], vec![1]));
    world.says(0, false);
    assert_eq!(world.roles("t"), (1, vec![1], vec![0]));
}

/// Deleting a topic or expanding it must not take the leader away from what can still be read.
#[test]
fn a_partition_with_one_replica_is_read_while_its_disk_is_full() {
    let mut world = world_with(2, &[0], 1);
    world.says(0, false);
    assert_eq!(world.roles("t"), (0, vec![0], vec![]));
    // Another life of the same folder: fenced at first, full still.
    let epoch = world.epoch_of(0);
    world.come_back(0, epoch, 1);
    world.says(0, false);
    assert_eq!(world.roles("t"), (0, vec![0], vec![]));
}
