//! Frames: a 4-byte length, a header, a message.

use bytes::Bytes;

use crate::codec::{self, Encoder, Segment};
use crate::{ApiKey, DecodeError, Decoder, EncodeError, Message, Request, Str};

/// Kafka's default for the longest frame that a broker takes (`socket.request.max.bytes`), in bytes.
pub const DEFAULT_MAX_FRAME_BYTES: usize = 100 * 1024 * 1024;

/// Bytes of the length that precedes a frame.
pub const LENGTH_BYTES: usize = 4;

/// Header of a request, of any header version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader {
    /// The API, which may be one that [`ApiKey`] does not know.
    pub api_key: i16,
    /// Version of the API, which may be one that we do not know.
    pub api_version: i16,
    /// Chosen by the client, returned in the response.
    pub correlation_id: i32,
    /// The client's name for itself.
    pub client_id: Option<Str>,
}

/// Reads the header at the front of a request frame (without its length).
///
/// Of an API that is not known only the fixed part and the client id are read.
pub fn decode_request_header(d: &mut Decoder) -> Result<RequestHeader, DecodeError> {
    let api_key = d.i16()?;
    let api_version = d.i16()?;
    let correlation_id = d.i32()?;
    // Never compact: a broker must be able to read it whatever the version.
    let client_id = d.nullable_str(false)?;
    if ApiKey::try_from(api_key).is_ok_and(|key| key.request_header_version(api_version) >= 2) {
        d.skip_tagged_fields()?;
    }
    Ok(RequestHeader { api_key, api_version, correlation_id, client_id })
}

/// A request frame, with its length, as segments: large records are shared, not copied.
pub fn encode_request_segments<R: Request>(
    correlation_id: i32,
    client_id: Option<&str>,
    version: i16,
    request: &R,
) -> Result<Vec<Segment>, EncodeError> {
    let mut e = Encoder::new();
    e.i32(0);
    e.i16(R::KEY.into());
    e.i16(version);
    e.i32(correlation_id);
    match client_id {
        Some(id) => e.str(id, false)?,
        None => e.i16(-1),
    }
    if R::KEY.request_header_version(version) >= 2 {
        e.uvarint(0);
    }
    request.encode(&mut e, version)?;
    e.finish_frame()
}

/// A request frame, with its length, as one piece.
pub fn encode_request<R: Request>(
    correlation_id: i32,
    client_id: Option<&str>,
    version: i16,
    request: &R,
) -> Result<Bytes, EncodeError> {
    join(encode_request_segments(correlation_id, client_id, version, request)?)
}

/// Segments as one piece of memory.
///
/// # Errors
/// [`EncodeError::File`] when a part of them is in a file.
pub fn join(segments: Vec<Segment>) -> Result<Bytes, EncodeError> {
    codec::join(segments)
}

/// A response frame, with its length.
pub fn encode_response<M: Message>(
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    response: &M,
) -> Result<Vec<Segment>, EncodeError> {
    let mut e = Encoder::new();
    e.i32(0);
    e.i32(correlation_id);
    if key.response_header_version(version) >= 1 {
        e.uvarint(0);
    }
    response.encode(&mut e, version)?;
    e.finish_frame()
}

/// The correlation id at the front of a response frame (without its length), so that its request can be found.
pub fn response_correlation_id(frame: &Bytes) -> Result<i32, DecodeError> {
    Decoder::new(frame.clone()).i32()
}

/// Correlation id and message of a response frame (without its length) to a request of the given version.
pub fn decode_response<R: Request>(
    frame: Bytes,
    version: i16,
) -> Result<(i32, R::Response), DecodeError> {
    let mut d = Decoder::new(frame);
    let correlation_id = d.i32()?;
    if R::KEY.response_header_version(version) >= 1 {
        d.skip_tagged_fields()?;
    }
    Ok((correlation_id, R::Response::decode(&mut d, version)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{ApiVersionsRequest, ApiVersionsResponse, MetadataRequest};

    #[test]
    fn a_request_frame_round_trips() {
        for version in MetadataRequest::VERSIONS {
            let request = MetadataRequest::default();
            let frame = encode_request(7, Some("me"), version, &request).unwrap();
            let len = u32::from_be_bytes(frame[..4].try_into().unwrap());
            assert_eq!(len as usize, frame.len() - 4);
            let mut d = Decoder::new(frame.slice(4..));
            let header = decode_request_header(&mut d).unwrap();
            assert_eq!(
                (header.api_key, header.api_version, header.correlation_id),
                (3, version, 7)
            );
            assert_eq!(header.client_id.as_deref(), Some("me"));
            assert_eq!(MetadataRequest::decode(&mut d, version), Ok(request));
            assert_eq!(d.remaining(), 0);
        }
    }

    #[test]
    fn the_header_of_an_api_versions_response_is_never_flexible() {
        let response = ApiVersionsResponse { error_code: 35, ..Default::default() };
        for version in ApiVersionsResponse::VERSIONS {
            let segments = encode_response(ApiKey::ApiVersions, version, 9, &response).unwrap();
            let frame = join(segments).unwrap();
            assert_eq!(frame[8..10], 35_i16.to_be_bytes());
            let decoded = decode_response::<ApiVersionsRequest>(frame.slice(4..), version);
            assert_eq!(decoded, Ok((9, response.clone())));
        }
    }

    #[test]
    fn the_header_of_an_unknown_api_can_be_read() {
        let mut d = Decoder::new(Bytes::from_static(b"\x03\xe7\x00\x63\x00\x00\x00\x05\xff\xff"));
        let header = decode_request_header(&mut d).unwrap();
        assert_eq!((header.api_key, header.api_version, header.client_id), (999, 99, None));
    }
}
