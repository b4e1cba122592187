//! Which ids a cluster of so many brokers has.

/// The ids that should be: those that are there, without those that the spec takes away; of them the lowest, if
/// there are too many; and the lowest free ones beside them, if there are too few.
///
/// It depends on what is there, and settles: applied to its own result it gives the same.
pub(crate) fn wanted_ids(replicas: i32, remove: &[i32], live: &[i32]) -> Vec<i32> {
    let count = usize::try_from(replicas).unwrap_or(0);
    let mut ids: Vec<i32> = live.iter().copied().filter(|id| !remove.contains(id)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.truncate(count);
    let mut free = (0..i32::MAX).filter(|id| !remove.contains(id) && !live.contains(id));
    while ids.len() < count {
        let Some(id) = free.next() else { break };
        ids.push(id);
    }
    ids.sort_unstable();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_by_what_is_there() {
        for (replicas, remove, live, wanted) in [
            (3, &[][..], &[][..], &[0, 1, 2][..]),
            (5, &[], &[0, 1, 2], &[0, 1, 2, 3, 4]),
            // kubectl scale: the highest go.
            (3, &[], &[0, 1, 2, 3, 4], &[0, 1, 2]),
            // Any ids go.
            (3, &[1, 3], &[0, 1, 2, 3, 4], &[0, 2, 4]),
            (3, &[1, 3], &[0, 2, 3, 4], &[0, 2, 4]),
            (3, &[1, 3], &[0, 2, 4], &[0, 2, 4]),
            // One is replaced by another.
            (3, &[1], &[0, 1, 2], &[0, 2, 3]),
            (3, &[1], &[0, 1, 2, 3], &[0, 2, 3]),
            // Somebody deleted a StatefulSet: it comes back.
            (3, &[], &[0, 2], &[0, 1, 2]),
            // More are taken away than were asked for: the count decides, and others come.
            (2, &[0, 1], &[0, 1], &[2, 3]),
            (0, &[], &[0], &[]),
        ] {
            let ids = wanted_ids(replicas, remove, live);
            assert_eq!(ids, wanted, "{replicas} without {remove:?} of {live:?}");
            let all: Vec<_> = live.iter().chain(&ids).copied().collect();
            assert_eq!(wanted_ids(replicas, remove, &all), wanted, "does not settle");
            assert_eq!(wanted_ids(replicas, remove, &ids), wanted, "does not settle");
        }
    }
}
