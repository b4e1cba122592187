//! What is measured.

/// What the client does in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// `ProducerPerformance` with these producer settings, at most `throughput` records a second
    /// (−1: as fast as it goes).
    Produce { settings: &'static [&'static str], throughput: i64 },
    /// `ConsumerPerformance` reads back what the produce row of this name wrote.
    Consume { written_by: &'static str },
}

/// One row of the table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Topic of the row; a consume row reads its produce row's topic.
    pub(crate) topic: &'static str,
    pub(crate) records: u64,
    /// Bytes of value in a record; there is no key.
    pub(crate) record_bytes: u32,
    pub(crate) load: Load,
    /// What a profile of the brokers shows on top: the reason, where the row misses its aim.
    pub(crate) dominated_by: &'static str,
}

/// Partitions of every topic.
pub(crate) const PARTITIONS: u32 = 6;

/// Runs before the counted rows, so that a JVM has compiled what it will run.
pub(crate) fn warm_up() -> Vec<Row> {
    let produce = |topic, record_bytes, settings| Row {
        name: "warm-up",
        topic,
        records: 1_000_000,
        record_bytes,
        load: Load::Produce { settings, throughput: -1 },
        dominated_by: "",
    };
    vec![
        produce("warm-1", 100, &["acks=all", "batch.size=16384", "linger.ms=0"]),
        produce("warm-2", 512, &["acks=all", "batch.size=65536", "compression.type=lz4"]),
    ]
}

/// All rows, in the order in which they run against one broker process.
pub(crate) fn all() -> Vec<Row> {
    const BYTES: &str = "receiving, checksumming and writing the bytes, once a replica, is most of the work of both.";
    const REQUESTS: &str =
        "system calls and wake-ups of requests, one follower's fetch for about every produce.";
    let produce = |name, topic, records, record_bytes, settings, throughput, dominated_by| Row {
        name,
        topic,
        records,
        record_bytes,
        load: Load::Produce { settings, throughput },
        dominated_by,
    };
    vec![
        // Bytes copied and checksummed dominate.
        produce(
            "1 KiB, batch 64 KiB, linger 5 ms",
            "kib-64k",
            1_500_000,
            1024,
            &["acks=all", "batch.size=65536", "linger.ms=5"],
            -1,
            BYTES,
        ),
        // The cost of a request and of an append dominates.
        produce(
            "1 KiB, batch 16 KiB",
            "kib-16k",
            1_000_000,
            1024,
            &["acks=all", "batch.size=16384", "linger.ms=0"],
            -1,
            REQUESTS,
        ),
        // Nothing that costs a record may be done at all.
        produce(
            "100 B, batch 64 KiB",
            "small",
            8_000_000,
            100,
            &["acks=all", "batch.size=65536", "linger.ms=5"],
            -1,
            BYTES,
        ),
        produce(
            "1 KiB lz4",
            "kib-lz4",
            1_000_000,
            1024,
            &["acks=all", "batch.size=65536", "linger.ms=5", "compression.type=lz4"],
            -1,
            BYTES,
        ),
        // Wake-ups and system calls of a request.
        produce(
            "2,000 single-record requests a second",
            "single",
            30_000,
            1024,
            &["acks=all", "batch.size=1", "linger.ms=0"],
            2_000,
            REQUESTS,
        ),
        Row {
            name: "consume 1 KiB",
            topic: "kib-64k",
            records: 1_500_000,
            record_bytes: 1024,
            load: Load::Consume { written_by: "1 KiB, batch 64 KiB, linger 5 ms" },
            dominated_by: BYTES,
        },
    ]
}
