//! Any bytes, as any version of any message: decoding neither panics nor allocates without measure, and what was
//! decoded survives being encoded and decoded again.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::{Decoder, Encoder, Message};

fn round_trip<M: Message>(version: i16, bytes: Bytes) {
    let Ok(message) = M::decode(&mut Decoder::new(bytes), version) else { return };
    let mut e = Encoder::new();
    if message.encode(&mut e, version).is_ok() {
        // Not compared as values: a float may be NaN.
        let again = M::decode(&mut Decoder::new(e.finish_bytes().unwrap()), version);
        assert!(again.is_ok(), "{message:?} v{version}");
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        const TARGETS: &[fn(i16, Bytes)] = &[$(round_trip::<protocol::messages::$name>),*];
    };
}

protocol::with_every_message!(targets);

fuzz_target!(|data: &[u8]| {
    let [which, version, rest @ ..] = data else { return };
    let target = TARGETS[usize::from(*which) % TARGETS.len()];
    target(i16::from(*version) % 20, Bytes::copy_from_slice(rest));
});
