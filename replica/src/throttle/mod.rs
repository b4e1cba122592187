//! How fast replicas that are *not in sync* are filled (KIP-73); whoever counts bytes is outside.

mod marks;
mod rate;

pub use marks::{Limits, Marks, ThrottledReplicas};
pub use rate::{Allowance, ByteRate, UNLIMITED};
