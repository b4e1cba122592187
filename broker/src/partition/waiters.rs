//! Who waits for a partition: produces for their records to be committed, fetches for records to come.
//!
//! A wait belongs to one request over any number of partitions. Partitions hold it in their lists and report to it; the
//! connection's task awaits it. Nobody polls.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;

use futures_util::task::AtomicWaker;

/// A produce that waits until its batches are committed in all their partitions.
#[derive(Debug, Default)]
pub(crate) struct CommitWait {
    remaining: AtomicUsize,
    failed: AtomicBool,
    waker: AtomicWaker,
}

/// A disk error, or the end of the partition, came before the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CommitFailed;

impl CommitWait {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Whether no partition is waited for.
    pub(crate) fn is_done(&self) -> bool {
        self.remaining.load(Ordering::Acquire) == 0
    }

    /// Waits for all partitions.
    ///
    /// # Errors
    /// When one of them failed.
    pub(crate) async fn done(&self) -> Result<(), CommitFailed> {
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            if self.failed.load(Ordering::Acquire) {
                return Poll::Ready(Err(CommitFailed));
            }
            if self.is_done() { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
    }

    fn one_done(&self) {
        if self.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.waker.wake();
        }
    }

    fn fail(&self) {
        self.failed.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// A fetch that waits for more records in any of its partitions.
#[derive(Debug, Default)]
pub(crate) struct FetchWait {
    woken: AtomicBool,
    waker: AtomicWaker,
}

impl FetchWait {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Waits until a partition has news since the last call.
    pub(crate) async fn woken(&self) {
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            if self.woken.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn wake(&self) {
        self.woken.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// A partition's lists. Under the partition's lock.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    /// Ascending by offset: an append waits for more than those before it. Bounded by connections times
    /// requests in flight.
    commits: VecDeque<(i64, Arc<CommitWait>)>,
    fetches: Vec<Weak<FetchWait>>,
}

/// Whom to wake once the partition's lock is released.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Wakeups {
    commits: Vec<Arc<CommitWait>>,
    fetches: Vec<Weak<FetchWait>>,
    failed: bool,
}

impl Waiters {
    /// `wait` is over here when the high watermark reaches `offset`.
    pub(super) fn add_commit(&mut self, offset: i64, wait: &Arc<CommitWait>) {
        wait.remaining.fetch_add(1, Ordering::AcqRel);
        self.commits.push_back((offset, Arc::clone(wait)));
    }

    /// `wait` is told once about the next change.
    pub(super) fn add_fetch(&mut self, wait: &Arc<FetchWait>) {
        // Those that gave up in the meantime must not pile up on a partition that nothing happens to.
        self.fetches.retain(|other| other.strong_count() > 0);
        if !self.fetches.iter().any(|other| std::ptr::eq(other.as_ptr(), Arc::as_ptr(wait))) {
            self.fetches.push(Arc::downgrade(wait));
        }
    }

    /// The high watermark has reached `offset`.
    pub(super) fn committed(&mut self, offset: i64) -> Wakeups {
        let mut wakeups =
            Wakeups { fetches: std::mem::take(&mut self.fetches), ..Wakeups::default() };
        while self.commits.front().is_some_and(|(wanted, _)| *wanted <= offset) {
            wakeups.commits.extend(self.commits.pop_front().map(|(_, wait)| wait));
        }
        wakeups
    }

    /// Nothing will be committed any more.
    pub(super) fn fail(&mut self) -> Wakeups {
        Wakeups {
            commits: self.commits.drain(..).map(|(_, wait)| wait).collect(),
            fetches: std::mem::take(&mut self.fetches),
            failed: true,
        }
    }
}

impl Wakeups {
    /// Call without locks held.
    pub(super) fn wake(self) {
        for wait in self.commits {
            if self.failed { wait.fail() } else { wait.one_done() }
        }
        for wait in self.fetches.iter().filter_map(Weak::upgrade) {
            wait.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn a_produce_over_two_partitions_waits_for_both() {
        let wait = CommitWait::new();
        let (mut a, mut b) = (Waiters::default(), Waiters::default());
        a.add_commit(5, &wait);
        b.add_commit(7, &wait);
        a.committed(4).wake();
        assert_eq!(wait.done().now_or_never(), None);
        a.committed(5).wake();
        assert_eq!(wait.done().now_or_never(), None);
        b.committed(9).wake();
        assert_eq!(wait.done().now_or_never(), Some(Ok(())));
    }

    #[test]
    fn a_failure_ends_the_wait() {
        let wait = CommitWait::new();
        let mut waiters = Waiters::default();
        waiters.add_commit(5, &wait);
        waiters.fail().wake();
        assert_eq!(wait.done().now_or_never(), Some(Err(CommitFailed)));
    }

    #[test]
    fn a_fetch_is_woken_once_and_forgotten_when_it_gives_up() {
        let mut waiters = Waiters::default();
        let wait = FetchWait::new();
        waiters.add_fetch(&wait);
        waiters.add_fetch(&wait);
        assert_eq!(waiters.fetches.len(), 1);
        assert_eq!(wait.woken().now_or_never(), None);
        waiters.committed(1).wake();
        assert_eq!(wait.woken().now_or_never(), Some(()));
        assert_eq!(wait.woken().now_or_never(), None);
        for _ in 0..100 {
            waiters.add_fetch(&FetchWait::new());
        }
        assert!(waiters.fetches.len() <= 2);
    }
}
