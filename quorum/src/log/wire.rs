//! Frames in messages: just as they are on disk, with their checksums.

use bytes::Bytes;

use super::{Frame, MAX_FRAME_BYTES, frame};

/// The most frames that are read from one message.
const MAX_FRAMES: usize = 100_000;

/// Appends a frame to a message.
pub(crate) fn put(out: &mut Vec<u8>, of: &Frame) {
    // A frame's payload is bounded when it is made, so this cannot fail.
    let put = frame::encode(out, of.first_offset(), of.epoch(), of.payload());
    debug_assert!(put.is_ok());
}

/// Reads frames up to the end of the message.
///
/// # Errors
/// What is wrong with the first that is damaged, or of a newer version.
pub(crate) fn get_all(mut bytes: &[u8]) -> Result<Vec<Frame>, String> {
    let mut frames = Vec::new();
    loop {
        match frame::decode(bytes) {
            frame::Found::End => return Ok(frames),
            frame::Found::Broken(why) => return Err(why.to_owned()),
            frame::Found::Frame { first_offset, epoch, payload, len } => {
                if payload.len() > MAX_FRAME_BYTES || frames.len() >= MAX_FRAMES {
                    return Err("a frame is too long, or there are too many".to_owned());
                }
                frames.push(Frame::parse(first_offset, epoch, Bytes::copy_from_slice(payload))?);
                bytes = bytes.get(len..).unwrap_or_default();
            }
        }
    }
}
