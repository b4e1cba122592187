//! Cuts frames out of the byte stream.

use bytes::{Buf, Bytes, BytesMut};

use super::CloseReason;

/// Room that is made for a read when the length of the next frame is not known yet.
const MIN_READ_BYTES: usize = 16 * 1024;

/// Bytes of the length in front of a frame.
const LENGTH_BYTES: usize = 4;

/// The bytes that were read and not yet handled.
#[derive(Debug)]
pub(crate) struct Frames {
    buffer: BytesMut,
    max_frame_bytes: usize,
}

impl Frames {
    pub(crate) fn new(max_frame_bytes: usize) -> Self {
        Self { buffer: BytesMut::new(), max_frame_bytes }
    }

    /// The next complete frame without its length: a view into what was read, not a copy.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, CloseReason> {
        let Some(len) = self.next_len()? else { return Ok(None) };
        if self.buffer.len() < LENGTH_BYTES + len {
            return Ok(None);
        }
        self.buffer.advance(LENGTH_BYTES);
        Ok(Some(self.buffer.split_to(len).freeze()))
    }

    /// The length of the frame at the front, once it is there and if it is allowed.
    fn next_len(&self) -> Result<Option<usize>, CloseReason> {
        let Some(prefix) = self.buffer.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let len = i32::from_be_bytes(*prefix);
        match usize::try_from(len) {
            Ok(length) if length <= self.max_frame_bytes => Ok(Some(length)),
            _ => Err(CloseReason::FrameLength { len, max: self.max_frame_bytes }),
        }
    }

    /// Bytes that the frame at the front needs in all, or what is read at least.
    pub(crate) fn wanted(&self) -> usize {
        match self.next_len() {
            Ok(Some(len)) => (LENGTH_BYTES + len).max(MIN_READ_BYTES),
            _ => MIN_READ_BYTES,
        }
    }

    /// The buffer with room for the rest of the frame at the front. The room grows with what has
    /// arrived: a length alone, which anybody can send, must not reserve memory.
    pub(crate) fn space(&mut self) -> &mut BytesMut {
        let missing = self.wanted().saturating_sub(self.buffer.len());
        let trusted = self.buffer.len().max(MIN_READ_BYTES);
        self.buffer.reserve(missing.min(trusted).max(1));
        &mut self.buffer
    }

    /// Bytes read and not handled.
    pub(crate) fn buffered(&self) -> usize {
        self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: &[u8]) -> Frames {
        let mut frames = Frames::new(100);
        frames.space().extend_from_slice(bytes);
        frames
    }

    #[test]
    fn frames_are_cut_at_their_lengths() {
        let mut frames = frames(b"\0\0\0\x02ab\0\0\0\x01c\0\0\0\x05de");
        assert_eq!(frames.next().unwrap().unwrap(), "ab");
        assert_eq!(frames.next().unwrap().unwrap(), "c");
        assert!(frames.next().unwrap().is_none());
        frames.space().extend_from_slice(b"fgh");
        assert_eq!(frames.next().unwrap().unwrap(), "defgh");
        assert_eq!(frames.buffered(), 0);
    }

    #[test]
    fn lengths_out_of_range_are_refused() {
        for bytes in [b"\xff\xff\xff\xff", b"\x00\x00\x00\x65", b"\x7f\xff\xff\xff"] {
            assert!(matches!(frames(bytes).next(), Err(CloseReason::FrameLength { .. })));
        }
    }

    #[test]
    fn a_length_alone_reserves_little() {
        let mut frames = Frames::new(usize::MAX);
        frames.space().extend_from_slice(b"\x7f\xff\xff\xff");
        assert!(frames.space().capacity() <= 4 * MIN_READ_BYTES);
    }
}
