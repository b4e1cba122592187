//! Messages as bytes: a version, a kind, then fields, big endian; lengths before what has one.
//!
//! Nothing is believed: every length is checked against what is there and against the constants here, every frame has the
//! checksum that it has on disk.

use std::sync::Arc;

use bytes::Bytes;
use protocol::Uuid;
use thiserror::Error;

use super::message::{Answer, Call, Fetched, Refusal, Request, Response};
use super::voters::{MAX_VOTERS, Voter};
use crate::log::{MAX_FRAME_BYTES, wire};

/// Longest message: a fetch answers with one frame at least, however long, and otherwise with less than that.
pub const MAX_MESSAGE_BYTES: usize = MAX_FRAME_BYTES + 4 * 1024 * 1024;
/// Longest cluster id, in bytes (Kafka's has 22).
const MAX_CLUSTER_ID_BYTES: usize = 128;
/// The first byte of every message.
const VERSION: u8 = 1;

/// The bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CodecError {
    /// More than [`MAX_MESSAGE_BYTES`].
    #[error("a quorum message of {0} bytes is too long")]
    TooLong(usize),
    /// Another version's message.
    #[error("a quorum message of version {0}, this node knows version {VERSION}")]
    Version(u8),
    /// The message ends early, has something behind it, or a field is out of range.
    #[error("a quorum message is malformed: {0}")]
    Malformed(&'static str),
    /// A frame is damaged or of a newer version.
    #[error("a frame in a quorum message cannot be read: {0}")]
    Frame(String),
}

impl Request {
    /// The request as bytes.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = vec![VERSION];
        put_bytes(&mut out, self.cluster_id.as_bytes());
        put_voter(&mut out, self.from);
        out.extend(self.to_directory.0);
        out.extend(self.epoch.to_be_bytes());
        match &self.call {
            Call::Vote { pre_vote, last_epoch, end_offset } => {
                out.extend([0, u8::from(*pre_vote)]);
                out.extend(last_epoch.to_be_bytes());
                out.extend(end_offset.to_be_bytes());
            }
            Call::BeginEpoch => out.push(1),
            Call::EndEpoch { preferred } => {
                out.extend([2, preferred.len().min(MAX_VOTERS) as u8]);
                for id in preferred.iter().take(MAX_VOTERS) {
                    out.extend(id.to_be_bytes());
                }
            }
            Call::Fetch { offset, last_epoch, max_bytes, max_wait_ms, high_watermark } => {
                out.push(3);
                out.extend(offset.to_be_bytes());
                out.extend(last_epoch.to_be_bytes());
                out.extend(max_bytes.to_be_bytes());
                out.extend(max_wait_ms.to_be_bytes());
                out.extend(high_watermark.to_be_bytes());
            }
            Call::FetchSnapshot { offset, snapshot_epoch, position, max_bytes } => {
                out.push(4);
                out.extend(offset.to_be_bytes());
                out.extend(snapshot_epoch.to_be_bytes());
                out.extend(position.to_be_bytes());
                out.extend(max_bytes.to_be_bytes());
            }
        }
        out.into()
    }

    /// A request from bytes.
    ///
    /// # Errors
    /// See [`CodecError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Request, CodecError> {
        let mut input = Reader::new(bytes)?;
        let cluster_id = input.bytes(MAX_CLUSTER_ID_BYTES)?;
        let cluster_id: Arc<str> = std::str::from_utf8(cluster_id)
            .map_err(|_| CodecError::Malformed("the cluster id is not UTF-8"))?
            .into();
        let from = input.voter()?;
        let to_directory = Uuid(input.array()?);
        let epoch = input.epoch()?;
        let call = match input.u8()? {
            0 => Call::Vote {
                pre_vote: input.bool()?,
                last_epoch: input.epoch()?,
                end_offset: input.u64()?,
            },
            1 => Call::BeginEpoch,
            2 => {
                let count = usize::from(input.u8()?);
                if count > MAX_VOTERS {
                    return Err(CodecError::Malformed("too many voters"));
                }
                let preferred = (0..count).map(|_| input.i32()).collect::<Result<_, _>>()?;
                Call::EndEpoch { preferred }
            }
            3 => Call::Fetch {
                offset: input.u64()?,
                last_epoch: input.epoch()?,
                max_bytes: input.u32()?,
                max_wait_ms: input.u32()?,
                high_watermark: input.u64()?,
            },
            4 => Call::FetchSnapshot {
                offset: input.u64()?,
                snapshot_epoch: input.epoch()?,
                position: input.u64()?,
                max_bytes: input.u32()?,
            },
            _ => return Err(CodecError::Malformed("an unknown request")),
        };
        input.end()?;
        Ok(Request { cluster_id, from, to_directory, epoch, call })
    }
}

impl Response {
    /// The response as bytes.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = vec![VERSION];
        put_voter(&mut out, self.from);
        out.extend(self.epoch.to_be_bytes());
        out.push(u8::from(self.leader.is_some()));
        out.extend(self.leader.unwrap_or(-1).to_be_bytes());
        match &self.answer {
            Answer::Vote { pre_vote, granted } => {
                out.extend([0, u8::from(*pre_vote), u8::from(*granted)]);
            }
            Answer::Noted => out.push(1),
            Answer::Fetch { offset, last_epoch, high_watermark, fetched } => {
                out.push(2);
                out.extend(offset.to_be_bytes());
                out.extend(last_epoch.to_be_bytes());
                out.extend(high_watermark.to_be_bytes());
                put_fetched(&mut out, fetched);
            }
            Answer::Snapshot { offset, snapshot_epoch, position, total_bytes, bytes } => {
                out.push(3);
                out.extend(offset.to_be_bytes());
                out.extend(snapshot_epoch.to_be_bytes());
                out.extend(position.to_be_bytes());
                out.extend(total_bytes.to_be_bytes());
                put_bytes(&mut out, bytes);
            }
            Answer::Refused(refusal) => out.extend([4, refusal.code()]),
        }
        out.into()
    }

    /// A response from bytes.
    ///
    /// # Errors
    /// See [`CodecError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Response, CodecError> {
        let mut input = Reader::new(bytes)?;
        let from = input.voter()?;
        let epoch = input.epoch()?;
        let known = input.bool()?;
        let leader = Some(input.i32()?).filter(|id| known && *id >= 0);
        let answer = match input.u8()? {
            0 => Answer::Vote { pre_vote: input.bool()?, granted: input.bool()? },
            1 => Answer::Noted,
            2 => Answer::Fetch {
                offset: input.u64()?,
                last_epoch: input.epoch()?,
                high_watermark: input.u64()?,
                fetched: input.fetched()?,
            },
            3 => Answer::Snapshot {
                offset: input.u64()?,
                snapshot_epoch: input.epoch()?,
                position: input.u64()?,
                total_bytes: input.u64()?,
                bytes: Bytes::copy_from_slice(input.bytes(MAX_MESSAGE_BYTES)?),
            },
            4 => Answer::Refused(Refusal::of(input.u8()?)?),
            _ => return Err(CodecError::Malformed("an unknown answer")),
        };
        input.end()?;
        Ok(Response { from, epoch, leader, answer })
    }
}

impl Refusal {
    fn code(self) -> u8 {
        match self {
            Refusal::OtherCluster => 0,
            Refusal::OtherReplica => 1,
            Refusal::NotLeader => 2,
            Refusal::StaleEpoch => 3,
            Refusal::UnknownSnapshot => 4,
            Refusal::Invalid => 5,
        }
    }

    fn of(code: u8) -> Result<Self, CodecError> {
        let all = [
            Refusal::OtherCluster,
            Refusal::OtherReplica,
            Refusal::NotLeader,
            Refusal::StaleEpoch,
            Refusal::UnknownSnapshot,
            Refusal::Invalid,
        ];
        all.get(usize::from(code)).copied().ok_or(CodecError::Malformed("an unknown refusal"))
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend(bytes);
}

fn put_voter(out: &mut Vec<u8>, voter: Voter) {
    out.extend(voter.id.to_be_bytes());
    out.extend(voter.directory_id.0);
}

fn put_fetched(out: &mut Vec<u8>, fetched: &Fetched) {
    match fetched {
        Fetched::Frames(frames) => {
            out.push(0);
            for frame in frames {
                wire::put(out, frame);
            }
        }
        Fetched::Diverging { epoch, end_offset } => {
            out.push(1);
            out.extend(epoch.to_be_bytes());
            out.extend(end_offset.to_be_bytes());
        }
        Fetched::Snapshot { offset, epoch } => {
            out.push(2);
            out.extend(offset.to_be_bytes());
            out.extend(epoch.to_be_bytes());
        }
    }
}

/// What is left of a message.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, CodecError> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(CodecError::TooLong(bytes.len()));
        }
        let mut reader = Self(bytes);
        match reader.u8()? {
            VERSION => Ok(reader),
            other => Err(CodecError::Version(other)),
        }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        let (head, rest) =
            self.0.split_at_checked(len).ok_or(CodecError::Malformed("it ends early"))?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        self.take(N)?.try_into().map_err(|_| CodecError::Malformed("it ends early"))
    }

    fn u8(&mut self) -> Result<u8, CodecError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn bool(&mut self) -> Result<bool, CodecError> {
        Ok(self.u8()? != 0)
    }

    fn u32(&mut self) -> Result<u32, CodecError> {
        self.array().map(u32::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32, CodecError> {
        self.array().map(i32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, CodecError> {
        self.array().map(u64::from_be_bytes)
    }

    fn epoch(&mut self) -> Result<i32, CodecError> {
        match self.i32()? {
            epoch if epoch >= 0 => Ok(epoch),
            _ => Err(CodecError::Malformed("a negative epoch")),
        }
    }

    fn bytes(&mut self, limit: usize) -> Result<&'a [u8], CodecError> {
        match self.u32()? as usize {
            len if len <= limit => self.take(len),
            _ => Err(CodecError::Malformed("a length is out of range")),
        }
    }

    fn voter(&mut self) -> Result<Voter, CodecError> {
        Ok(Voter { id: self.i32()?, directory_id: Uuid(self.array()?) })
    }

    fn fetched(&mut self) -> Result<Fetched, CodecError> {
        Ok(match self.u8()? {
            0 => {
                let rest = std::mem::take(&mut self.0);
                Fetched::Frames(wire::get_all(rest).map_err(CodecError::Frame)?)
            }
            1 => Fetched::Diverging { epoch: self.epoch()?, end_offset: self.u64()? },
            2 => Fetched::Snapshot { offset: self.u64()?, epoch: self.epoch()? },
            _ => return Err(CodecError::Malformed("an unknown kind of fetch answer")),
        })
    }

    fn end(&self) -> Result<(), CodecError> {
        if self.0.is_empty() { Ok(()) } else { Err(CodecError::Malformed("something follows it")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Frame;
    use crate::record::MetadataRecord;

    fn voter(id: i32) -> Voter {
        Voter { id, directory_id: Uuid([id as u8; 16]) }
    }

    fn requests() -> Vec<Request> {
        let calls = [
            Call::Vote { pre_vote: true, last_epoch: 3, end_offset: 9 },
            Call::BeginEpoch,
            Call::EndEpoch { preferred: vec![3, 1] },
            Call::Fetch {
                offset: 7,
                last_epoch: 2,
                max_bytes: 1,
                max_wait_ms: 2,
                high_watermark: 3,
            },
            Call::FetchSnapshot { offset: 7, snapshot_epoch: 2, position: 5, max_bytes: 6 },
        ];
        let request = |call| Request {
            cluster_id: "c".into(),
            from: voter(1),
            to_directory: Uuid([2; 16]),
            epoch: 4,
            call,
        };
        calls.into_iter().map(request).collect()
    }

    fn responses() -> Vec<Response> {
        let record = MetadataRecord::LeaderChange { leader: 1, epoch: 2 };
        let frame = |offset| Frame::new(offset, 2, vec![record.clone()]).unwrap();
        let fetch =
            |fetched| Answer::Fetch { offset: 5, last_epoch: 1, high_watermark: 4, fetched };
        let answers = [
            Answer::Vote { pre_vote: false, granted: true },
            Answer::Noted,
            fetch(Fetched::Frames(vec![frame(5), frame(6)])),
            fetch(Fetched::Frames(Vec::new())),
            fetch(Fetched::Diverging { epoch: 1, end_offset: 3 }),
            fetch(Fetched::Snapshot { offset: 9, epoch: 2 }),
            Answer::Snapshot {
                offset: 9,
                snapshot_epoch: 2,
                position: 3,
                total_bytes: 10,
                bytes: Bytes::from_static(b"abc"),
            },
            Answer::Refused(Refusal::UnknownSnapshot),
        ];
        let response = |answer| Response { from: voter(2), epoch: 4, leader: Some(2), answer };
        answers.into_iter().map(response).collect()
    }

    #[test]
    fn messages_round_trip_and_none_is_read_from_a_part() {
        for request in requests() {
            let bytes = request.to_bytes();
            assert_eq!(Request::from_bytes(&bytes).unwrap(), request);
            for len in 0..bytes.len() {
                assert!(Request::from_bytes(&bytes[..len]).is_err(), "{request:?} {len}");
            }
        }
        for response in responses() {
            let bytes = response.to_bytes();
            assert_eq!(Response::from_bytes(&bytes).unwrap(), response);
            // Frames are the rest of the message, so a message of fewer frames is one, too.
            for len in 0..bytes.len() {
                assert!(Response::from_bytes(&bytes[..len]) != Ok(response.clone()), "{len}");
            }
        }
    }

    /// Whatever comes from the network is an error or a message, never a panic.
    #[test]
    fn flipped_bits_do_no_harm() {
        let bytes = requests().iter().map(Request::to_bytes).collect::<Vec<_>>();
        let more = responses().iter().map(Response::to_bytes).collect::<Vec<_>>();
        for good in bytes.into_iter().chain(more) {
            for bit in 0..good.len() * 8 {
                let mut bad = good.to_vec();
                bad[bit / 8] ^= 1 << (bit % 8);
                let _ = (Request::from_bytes(&bad).is_ok(), Response::from_bytes(&bad).is_ok());
            }
        }
    }
}
