//! The machine's randomness.

use quorum::controller::Entropy;

/// Random bytes for ids.
#[derive(Debug)]
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn bytes(&mut self) -> [u8; 16] {
        std::array::from_fn(|_| fastrand::u8(..))
    }
}
