//! Every version of every message: decoding what the JSON describes and encoding it again gives the same bytes,
//! and no bytes whatever make the decoder panic.

use bytes::Bytes;
use protocol::{DecodeError, Decoder, EncodeError, Encoder, Message};

use crate::{schema, wire};

/// Random contents of each version of each message.
const SAMPLES: u64 = 40;
/// Broken variants of each of a few samples.
const MUTATIONS: u64 = 60;

#[derive(Debug)]
enum Outcome {
    Undecodable(DecodeError),
    Unencodable(#[expect(dead_code, reason = "printed by failing assertions")] EncodeError),
    Same { unread: usize, bytes: Bytes },
}

fn reencode<M: Message>(bytes: Bytes, version: i16) -> Outcome {
    let mut d = Decoder::new(bytes);
    let message = match M::decode(&mut d, version) {
        Ok(message) => message,
        Err(e) => return Outcome::Undecodable(e),
    };
    let mut e = Encoder::new();
    match message.encode(&mut e, version) {
        Ok(()) => Outcome::Same { unread: d.remaining(), bytes: e.finish_bytes().unwrap() },
        Err(e) => Outcome::Unencodable(e),
    }
}

fn encode_default<M: Message>(version: i16) -> bool {
    let mut e = Encoder::new();
    if M::default().encode(&mut e, version).is_err() {
        return false;
    }
    let mut d = Decoder::new(e.finish_bytes().unwrap());
    M::decode(&mut d, version) == Ok(M::default()) && d.remaining() == 0
}

macro_rules! dispatch {
    ($($name:ident)*) => {
        fn reencode_named(name: &str, bytes: Bytes, version: i16) -> Outcome {
            match name {
                $(stringify!($name) => reencode::<protocol::messages::$name>(bytes, version),)*
                _ => panic!("{name} was not generated"),
            }
        }

        fn described(name: &str) -> (std::ops::RangeInclusive<i16>, i16) {
            match name {
                $(stringify!($name) => (
                    protocol::messages::$name::VERSIONS,
                    protocol::messages::$name::FLEXIBLE_FROM,
                ),)*
                _ => panic!("{name} was not generated"),
            }
        }

        fn default_round_trips(name: &str, version: i16) -> bool {
            match name {
                $(stringify!($name) => encode_default::<protocol::messages::$name>(version),)*
                _ => panic!("{name} was not generated"),
            }
        }

        const GENERATED: &[&str] = &[$(stringify!($name)),*];
    };
}

protocol::with_every_message!(dispatch);

#[test]
fn the_generated_messages_are_those_of_the_definitions() {
    let all = schema::all();
    let names: Vec<&str> = all.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, GENERATED);
    for message in &all {
        let (versions, flexible_from) = described(&message.name);
        assert_eq!(versions, message.versions(), "{}", message.name);
        for version in versions {
            assert_eq!(version >= flexible_from, message.is_flexible(version), "{}", message.name);
        }
    }
}

#[test]
fn bytes_made_from_the_definitions_round_trip() {
    let mut checked = 0_u32;
    for message in schema::all() {
        for version in message.versions() {
            for seed in 0..SAMPLES {
                let plain = Bytes::from(wire::random(&message, version, seed, false));
                let with_unknown = Bytes::from(wire::random(&message, version, seed, true));
                for bytes in [plain.clone(), with_unknown] {
                    let context = format!("{} v{version} seed {seed}", message.name);
                    match reencode_named(&message.name, bytes, version) {
                        Outcome::Same { unread, bytes } => {
                            assert_eq!(unread, 0, "{context}");
                            assert_eq!(bytes, plain, "{context}");
                        }
                        other => panic!("{context}: {other:?}"),
                    }
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 10_000);
}

#[test]
fn a_message_that_is_cut_off_says_so() {
    for message in schema::all() {
        for version in message.versions() {
            for seed in 0..3 {
                let bytes = Bytes::from(wire::random(&message, version, seed, false));
                let step = (bytes.len() / 50).max(1);
                for len in (0..bytes.len()).step_by(step) {
                    let outcome = reencode_named(&message.name, bytes.slice(..len), version);
                    assert!(
                        matches!(outcome, Outcome::Undecodable(DecodeError::NotEnough { .. })),
                        "{} v{version} seed {seed} cut to {len}: {outcome:?}",
                        message.name
                    );
                }
            }
        }
    }
}

#[test]
fn no_bytes_make_the_decoder_panic() {
    let mut random = fastrand::Rng::with_seed(42);
    let mut refused = 0_u32;
    for message in schema::all() {
        for version in message.versions() {
            for i in 0..MUTATIONS {
                let mut bytes = wire::random(&message, version, i % 4, false);
                mutate(&mut bytes, &mut random);
                let outcome = reencode_named(&message.name, bytes.into(), version);
                refused += u32::from(matches!(outcome, Outcome::Undecodable(_)));
                let noise: Vec<u8> = (0..random.usize(0..64)).map(|_| random.u8(..)).collect();
                let outcome = reencode_named(&message.name, noise.into(), version);
                refused += u32::from(matches!(outcome, Outcome::Undecodable(_)));
            }
        }
    }
    assert!(refused > 1000, "the mutations must do harm");
}

fn mutate(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    for _ in 0..random.u8(1..4) {
        let at = random.usize(0..=bytes.len());
        match random.u8(0..4) {
            0 if at < bytes.len() => bytes[at] = random.u8(..),
            1 if at < bytes.len() => bytes[at] = 0xff,
            2 => bytes.truncate(at),
            _ => {
                let noise: Vec<u8> = (0..random.usize(0..6)).map(|_| random.u8(..)).collect();
                bytes.splice(at..at, noise);
            }
        }
    }
}

#[test]
fn defaults_round_trip() {
    // Tagged values, nulls that only some versions allow and so on: a default must be encodable in every version.
    for message in schema::all() {
        for version in message.versions() {
            assert!(default_round_trips(&message.name, version), "{} v{version}", message.name);
        }
    }
}

#[test]
fn an_unknown_version_is_an_error_of_its_own() {
    for name in GENERATED {
        let (versions, _) = described(name);
        for version in [versions.start() - 1, versions.end() + 1] {
            let outcome = reencode_named(name, Bytes::new(), version);
            let Outcome::Undecodable(DecodeError::UnsupportedVersion { message, version: v }) =
                outcome
            else {
                panic!("{name} v{version}: {outcome:?}")
            };
            assert_eq!((message, v), (*name, version));
        }
    }
}
