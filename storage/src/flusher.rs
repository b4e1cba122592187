//! Group commit: threads of one log directory that make logs durable.
//!
//! A partition that has new records asks once ([`Flusher::request`]); everything that is appended until a thread
//! comes to it becomes durable by the same `fdatasync`, and the file system joins those of several partitions.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::DiskError;

/// Threads of one log directory: syncs of several partitions run at once, so that the file system's journal can
/// commit them together.
const THREADS: usize = 4;

/// What can be made durable.
pub trait FlushTarget: Send + Sync {
    /// Makes everything that it holds now durable and tells those who wait. Called from a flusher thread.
    ///
    /// # Errors
    /// The failed sync: final for the directory.
    fn flush(&self) -> Result<(), DiskError>;
}

/// Called once, with the error that ended the directory's writing life.
pub type OnFailure = Box<dyn Fn(&DiskError) + Send + Sync>;

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    failed: AtomicBool,
    on_failure: OnFailure,
}

#[derive(Default)]
struct Queue {
    // Bounded by the number of partitions: a target asks again only after it was taken out.
    targets: VecDeque<Arc<dyn FlushTarget>>,
    closed: bool,
}

/// The flusher of one log directory. Dropping it ends its threads after the requests that are queued.
pub struct Flusher {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Flusher {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system makes no thread.
    pub fn start(on_failure: OnFailure) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            failed: AtomicBool::new(false),
            on_failure,
        });
        let mut flusher = Self { shared, threads: Vec::with_capacity(THREADS) };
        for i in 0..THREADS {
            let shared = flusher.shared.clone();
            let thread = std::thread::Builder::new().name(format!("flush-{i}"));
            flusher.threads.push(thread.spawn(move || run(&shared))?);
        }
        Ok(flusher)
    }

    /// Queues a flush. The target must not ask again before its [`FlushTarget::flush`] has begun.
    pub fn request(&self, target: Arc<dyn FlushTarget>) {
        self.shared.queue.lock().targets.push_back(target);
        self.shared.wake.notify_one();
    }

    /// Whether a sync has failed: no write may be acknowledged any more.
    pub fn is_failed(&self) -> bool {
        self.shared.failed.load(Ordering::Acquire)
    }
}

fn run(shared: &Shared) {
    loop {
        let target = {
            let mut queue = shared.queue.lock();
            loop {
                if let Some(target) = queue.targets.pop_front() {
                    break target;
                }
                if queue.closed {
                    return;
                }
                shared.wake.wait(&mut queue);
            }
        };
        if let Err(error) = target.flush()
            && !shared.failed.swap(true, Ordering::AcqRel)
        {
            (shared.on_failure)(&error);
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.shared.queue.lock().closed = true;
        self.shared.wake.notify_all();
        let me = std::thread::current().id();
        for thread in self.threads.drain(..) {
            // The last owner may be a flusher thread itself; a thread cannot wait for its own end. A panic of a
            // thread has been reported by then.
            if thread.thread().id() != me {
                let _ = thread.join();
            }
        }
    }
}

impl fmt::Debug for Flusher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flusher").field("failed", &self.is_failed()).finish_non_exhaustive()
    }
}
