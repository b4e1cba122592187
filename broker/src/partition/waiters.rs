//! Who waits for a partition: produces for their records to be committed, fetches for records to come.
//!
//! A wait belongs to one request over any number of partitions. Partitions hold it in their lists and report to it; the
//! connection's task awaits it. Nobody polls.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use protocol::ErrorCode;

/// A produce that waits until its batches are committed in all their partitions.
#[derive(Debug, Default)]
pub(crate) struct CommitWait {
    remaining: AtomicUsize,
    waker: AtomicWaker,
    /// Parts whose partition ended the wait: a disk error, another leader, the end of the topic. Touched by failures only.
    failures: Mutex<Vec<(usize, ErrorCode)>>,
}

impl CommitWait {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How it ended, once each partition has committed or failed, also before anybody waits.
    pub(crate) fn outcome(&self) -> Option<CommitOutcome> {
        let is_over = self.remaining.load(Ordering::Acquire) == 0;
        is_over.then(|| CommitOutcome { failures: self.failures.lock().clone(), timed_out: false })
    }

    /// Waits until each partition has committed or failed.
    pub(crate) async fn ended(&self) -> CommitOutcome {
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            self.outcome().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// As [`CommitWait::ended`], but no longer than this.
    pub(crate) async fn ended_within(&self, timeout: Duration) -> CommitOutcome {
        tokio::time::timeout(timeout, self.ended()).await.unwrap_or_else(|_| CommitOutcome {
            failures: self.failures.lock().clone(),
            timed_out: true,
        })
    }

    fn one_done(&self) {
        if self.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.waker.wake();
        }
    }

    fn fail(&self, part: usize, code: ErrorCode) {
        self.failures.lock().push((part, code));
        self.one_done();
    }
}

/// How a wait for commits ended. Only a [`CommitWait`] that is over gives one, so whoever needs it to answer cannot answer early.
#[derive(Debug)]
pub(crate) struct CommitOutcome {
    failures: Vec<(usize, ErrorCode)>,
    timed_out: bool,
}

impl CommitOutcome {
    /// Why a part is not known to be committed: what its partition said, or REQUEST_TIMED_OUT for all when the time was up.
    pub(crate) fn failure(&self, part: usize) -> Option<ErrorCode> {
        let failed = self.failures.iter().find(|(failed, _)| *failed == part);
        failed.map(|(_, code)| *code).or(self.timed_out.then_some(ErrorCode::REQUEST_TIMED_OUT))
    }

    /// Whether all parts are committed.
    ///
    /// # Errors
    /// Of the first that is not.
    pub(crate) fn all(&self) -> Result<(), ErrorCode> {
        let first = self.failures.first().map(|(_, code)| *code);
        first.or(self.timed_out.then_some(ErrorCode::REQUEST_TIMED_OUT)).map_or(Ok(()), Err)
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

/// What a follower's fetch session hears from its partitions: which of them may have something for it.
///
/// A partition that nothing happens to is not looked at, however many of them a session has.
#[derive(Debug, Default)]
pub(crate) struct SessionNews {
    slots: Mutex<Vec<u32>>,
    wait: Arc<FetchWait>,
}

impl SessionNews {
    /// Waits until one has grown, or has changed its role, since the last call. A moved high watermark wakes nobody: it
    /// goes along with what comes next.
    pub(crate) async fn woken(&self) {
        self.wait.woken().await;
    }

    /// Those with news since the last call, each once. Whoever takes them calls [`Watched::looked_at`] before it looks.
    pub(crate) fn take(&self) -> Vec<u32> {
        std::mem::take(&mut *self.slots.lock())
    }
}

/// A partition's place in a session. The partition forgets it when the session does.
#[derive(Debug)]
pub(crate) struct Watched {
    news: Arc<SessionNews>,
    slot: u32,
    queued: AtomicBool,
}

impl Watched {
    pub(crate) fn new(news: &Arc<SessionNews>, slot: u32) -> Arc<Self> {
        Arc::new(Self { news: Arc::clone(news), slot, queued: AtomicBool::new(false) })
    }

    /// What comes from now on is news again.
    pub(crate) fn looked_at(&self) {
        self.queued.store(false, Ordering::Release);
    }

    fn queue(&self) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.news.slots.lock().push(self.slot);
        }
    }
}

/// A partition's lists. Under the partition's lock.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    /// Ascending by offset: an append waits for more than those before it. Bounded by connections times
    /// requests in flight.
    commits: VecDeque<(i64, Part)>,
    /// Consumers: for the high watermark.
    fetches: Vec<Weak<FetchWait>>,
    /// Followers: for the log's end.
    followers: Vec<Weak<FetchWait>>,
    /// This node's own fetchers: for the disk.
    flushes: Vec<Weak<FetchWait>>,
    /// Followers' fetch sessions; they stay until they are dropped. At most a few a follower.
    sessions: Vec<Weak<Watched>>,
}

/// A produce, and which part of it waits here.
type Part = (Arc<CommitWait>, usize);

/// What news a fetch waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    Committed,
    Grown,
    Flushed,
}

/// Whom to wake once the partition's lock is released.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Wakeups {
    commits: Vec<Part>,
    fetches: Vec<Weak<FetchWait>>,
    failed: Option<ErrorCode>,
}

impl Waiters {
    /// `wait` is over here when the high watermark reaches `offset`; `part` names this partition in its failures.
    pub(super) fn add_commit(&mut self, offset: i64, wait: &Arc<CommitWait>, part: usize) {
        wait.remaining.fetch_add(1, Ordering::AcqRel);
        // A repeated batch may wait for less than those before it.
        let at = match self.commits.back() {
            Some((last, _)) if *last > offset => {
                self.commits.partition_point(|(wanted, _)| *wanted <= offset)
            }
            _ => self.commits.len(),
        };
        self.commits.insert(at, (offset, (Arc::clone(wait), part)));
    }

    /// `wait` is told once about the next news.
    pub(super) fn add_fetch(&mut self, wait: &Arc<FetchWait>, news: News) {
        let list = self.list(news);
        // Those that gave up in the meantime must not pile up on a partition that nothing happens to.
        list.retain(|other| other.strong_count() > 0);
        if !list.iter().any(|other| std::ptr::eq(other.as_ptr(), Arc::as_ptr(wait))) {
            list.push(Arc::downgrade(wait));
        }
    }

    /// A session hears of all news from now on.
    pub(super) fn add_session(&mut self, watched: &Arc<Watched>) {
        self.sessions.retain(|other| other.strong_count() > 0);
        self.sessions.push(Arc::downgrade(watched));
    }

    /// Queues this partition in all sessions; gives whom to wake.
    fn tell_sessions(&self, wakeups: Option<&mut Wakeups>) {
        let told = self.sessions.iter().filter_map(Weak::upgrade);
        let waits = told.map(|watched| {
            watched.queue();
            Arc::downgrade(&watched.news.wait)
        });
        match wakeups {
            Some(wakeups) => wakeups.fetches.extend(waits),
            None => waits.for_each(drop),
        }
    }

    fn list(&mut self, news: News) -> &mut Vec<Weak<FetchWait>> {
        match news {
            News::Committed => &mut self.fetches,
            News::Grown => &mut self.followers,
            News::Flushed => &mut self.flushes,
        }
    }

    /// There is news for those who wait for no offset.
    pub(super) fn told(&mut self, news: News, wakeups: &mut Wakeups) {
        let list = self.list(news);
        if wakeups.fetches.is_empty() {
            wakeups.fetches = std::mem::take(list);
        } else {
            wakeups.fetches.append(list);
        }
        if news == News::Grown {
            self.tell_sessions(Some(wakeups));
        }
    }

    /// The high watermark has reached `offset`.
    pub(super) fn committed(&mut self, offset: i64) -> Wakeups {
        let mut wakeups =
            Wakeups { fetches: std::mem::take(&mut self.fetches), ..Wakeups::default() };
        while self.commits.front().is_some_and(|(wanted, _)| *wanted <= offset) {
            wakeups.commits.extend(self.commits.pop_front().map(|(_, part)| part));
        }
        self.tell_sessions(None);
        wakeups
    }

    /// Nothing will be committed any more.
    pub(super) fn fail(&mut self, code: ErrorCode) -> Wakeups {
        let mut wakeups = Wakeups {
            commits: self.commits.drain(..).map(|(_, part)| part).collect(),
            fetches: std::mem::take(&mut self.fetches),
            failed: Some(code),
        };
        self.told(News::Grown, &mut wakeups);
        self.told(News::Flushed, &mut wakeups);
        wakeups
    }
}

impl Wakeups {
    /// Call without locks held.
    pub(super) fn wake(self) {
        for (wait, part) in self.commits {
            match self.failed {
                Some(code) => wait.fail(part, code),
                None => wait.one_done(),
            }
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

    fn failures(wait: &CommitWait) -> Option<Vec<(usize, ErrorCode)>> {
        wait.ended().now_or_never().map(|outcome| outcome.failures)
    }

    #[test]
    fn a_produce_over_two_partitions_waits_for_both() {
        let wait = CommitWait::new();
        let (mut a, mut b) = (Waiters::default(), Waiters::default());
        a.add_commit(5, &wait, 0);
        b.add_commit(7, &wait, 1);
        a.committed(4).wake();
        assert_eq!(failures(&wait), None);
        a.committed(5).wake();
        assert_eq!(failures(&wait), None);
        b.committed(9).wake();
        assert_eq!(failures(&wait), Some(vec![]));
    }

    #[test]
    fn a_repeated_batch_waits_for_its_own_end() {
        let mut waiters = Waiters::default();
        let (first, repeated) = (CommitWait::new(), CommitWait::new());
        waiters.add_commit(9, &first, 0);
        waiters.add_commit(5, &repeated, 0);
        waiters.committed(5).wake();
        assert!(repeated.outcome().is_some() && first.outcome().is_none());
    }

    #[test]
    fn a_failure_is_of_its_part_alone() {
        let wait = CommitWait::new();
        let (mut a, mut b) = (Waiters::default(), Waiters::default());
        a.add_commit(5, &wait, 0);
        b.add_commit(5, &wait, 1);
        a.committed(5).wake();
        b.fail(ErrorCode::NOT_LEADER_OR_FOLLOWER).wake();
        let outcome = wait.outcome().unwrap();
        assert_eq!(outcome.failure(0), None);
        assert_eq!(outcome.failure(1), Some(ErrorCode::NOT_LEADER_OR_FOLLOWER));
        assert_eq!(outcome.all(), Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    }

    #[test]
    fn what_failed_before_anybody_waits_is_not_committed() {
        let (kept, lost) = (CommitWait::new(), CommitWait::new());
        let (mut a, mut b) = (Waiters::default(), Waiters::default());
        assert_eq!(failures(&kept), Some(vec![]), "nothing to wait for");
        a.add_commit(5, &kept, 0);
        b.add_commit(5, &lost, 0);
        assert!(kept.outcome().is_none() && lost.outcome().is_none());
        a.committed(5).wake();
        b.fail(ErrorCode::NOT_LEADER_OR_FOLLOWER).wake();
        assert_eq!(kept.outcome().unwrap().all(), Ok(()));
        assert_eq!(lost.outcome().unwrap().failure(0), Some(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    }

    #[tokio::test]
    async fn when_the_time_is_up_nothing_is_known_to_be_committed() {
        let wait = CommitWait::new();
        let mut waiters = Waiters::default();
        waiters.add_commit(5, &wait, 0);
        let outcome = wait.ended_within(Duration::from_millis(1)).await;
        assert_eq!(outcome.failure(0), Some(ErrorCode::REQUEST_TIMED_OUT));
        assert_eq!(outcome.all(), Err(ErrorCode::REQUEST_TIMED_OUT));
    }

    #[test]
    fn followers_hear_of_growth_and_consumers_of_commits() {
        let mut waiters = Waiters::default();
        let (follower, consumer) = (FetchWait::new(), FetchWait::new());
        waiters.add_fetch(&follower, News::Grown);
        waiters.add_fetch(&consumer, News::Committed);
        let mut wakeups = Wakeups::default();
        waiters.told(News::Grown, &mut wakeups);
        wakeups.wake();
        assert_eq!(follower.woken().now_or_never(), Some(()));
        assert_eq!(consumer.woken().now_or_never(), None);
    }

    #[test]
    fn a_session_hears_of_each_partition_once_and_is_woken_by_growth_alone() {
        let news = Arc::new(SessionNews::default());
        let (mut a, mut b) = (Waiters::default(), Waiters::default());
        let (first, second) = (Watched::new(&news, 0), Watched::new(&news, 1));
        a.add_session(&first);
        b.add_session(&second);
        b.committed(3).wake();
        assert_eq!(news.woken().now_or_never(), None);
        for _ in 0..2 {
            let mut wakeups = Wakeups::default();
            a.told(News::Grown, &mut wakeups);
            wakeups.wake();
        }
        assert_eq!(news.woken().now_or_never(), Some(()));
        assert_eq!(news.take(), [1, 0]);
        // Taken, but not looked at yet: what comes is seen when it is.
        a.committed(4).wake();
        assert!(news.take().is_empty());
        first.looked_at();
        a.committed(5).wake();
        assert_eq!(news.take(), [0]);
        drop(first);
        a.committed(6).wake();
        assert!(news.take().is_empty());
    }

    #[test]
    fn a_fetch_is_woken_once_and_forgotten_when_it_gives_up() {
        let mut waiters = Waiters::default();
        let wait = FetchWait::new();
        waiters.add_fetch(&wait, News::Committed);
        waiters.add_fetch(&wait, News::Committed);
        assert_eq!(waiters.fetches.len(), 1);
        assert_eq!(wait.woken().now_or_never(), None);
        waiters.committed(1).wake();
        assert_eq!(wait.woken().now_or_never(), Some(()));
        assert_eq!(wait.woken().now_or_never(), None);
        for _ in 0..100 {
            waiters.add_fetch(&FetchWait::new(), News::Committed);
        }
        assert!(waiters.fetches.len() <= 2);
    }
}
