//! State stores: the key-value state of a task, and its changelog.
//!
//! * [`StateStore`]: what a task asks of an engine; all stores of a task are behind one, so that a commit of all of
//!   them is one atomic batch.
//! * [`MemoryStores`], [`FjallStores`]: the engines.
//! * [`changelog`]: how a commit is written to the changelog topics, and how state is rebuilt from them.
//! * [`meta`]: what is stored beside the state: how much of the input and of the changelog it includes.
//!
//! The source of truth is the changelog; what is on disk is a cache of it that is believed only if its metadata is
//! whole and agrees over all stores of the task. Engines may block: they are called from dedicated threads only.

pub(crate) mod changelog;
mod fjall;
mod memory;
pub(crate) mod meta;

pub use self::fjall::FjallStores;
pub use changelog::COMMIT_HEADER;
pub use memory::MemoryStores;

use bytes::Bytes;
use std::fmt::Debug;

/// The engine failed; the task that meets it is closed, and rebuilt elsewhere or later.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("state store: {0}")]
    Engine(#[from] ::fjall::Error),
    #[error("state directory {path}: {source}")]
    Directory { path: String, source: std::io::Error },
    #[error("state of store `{store}`: {reason}")]
    Corrupt { store: String, reason: String },
}

/// One change of a commit: store (index within the task), key, value or removal.
pub type Write = (usize, Bytes, Option<Bytes>);

/// The stores of one task.
pub trait StateStore: Send + Debug {
    fn get(&self, store: usize, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// Visits up to `limit` entries of `store` in the order of their keys, from `from` on.
    fn scan(
        &self,
        store: usize,
        from: &[u8],
        limit: usize,
        visit: &mut dyn FnMut(Bytes, Bytes),
    ) -> Result<(), StoreError>;

    /// The metadata last written for `store`.
    fn meta(&self, store: usize) -> Result<Option<Bytes>, StoreError>;

    /// Applies all writes and, if given, the metadata of every store, atomically. It survives a crash of the process.
    fn commit(&mut self, writes: Vec<Write>, meta: Option<Vec<Bytes>>) -> Result<(), StoreError>;

    /// Forgets everything in every store of the task.
    fn clear(&mut self) -> Result<(), StoreError>;
}

/// Opens the stores of tasks.
pub trait StateEngine: Send + Sync + Debug {
    /// `stores` are names that are unique in the app; with `partition` they name the files, so that a store keeps its
    /// state when subtopologies are renumbered.
    fn open(&self, stores: &[&str], partition: i32) -> Result<Box<dyn StateStore>, StoreError>;
}
