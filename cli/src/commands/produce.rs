//! `vltava produce`: lines of standard input become records.

use std::process::ExitCode;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use client::{Compression, Delivery, Producer, ProducerConfig, ProducerRecord};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::cluster::ClusterArgs;
use crate::format::Format;

/// Records that may be on their way before the oldest is waited for.
const MAX_IN_FLIGHT: usize = 10_000;
/// Longest line that is read.
const MAX_LINE_BYTES: usize = 64 << 20;

const EXAMPLES: &str = "\
Examples:
  vltava produce lines < book.txt                       one record a line
  echo 'alice:42' | vltava produce visits -k : --value-format long
  seq 1000 | vltava produce numbers --compression zstd";

/// Write records, one a line of standard input
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProduceArgs {
    /// The topic
    topic: String,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// What stands between key and value; without it records have no key
    #[arg(short, long, value_name = "TEXT")]
    key_separator: Option<String>,
    /// Type of keys
    #[arg(long, value_enum, default_value = "string", value_name = "FORMAT")]
    key_format: Format,
    /// Type of values
    #[arg(long, value_enum, default_value = "string", value_name = "FORMAT")]
    value_format: Format,
    /// Write to this partition; without it the key decides
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// Compression of record batches
    #[arg(short, long, value_enum, default_value = "none", value_name = "CODEC")]
    compression: Codec,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl From<Codec> for Compression {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::None => Self::None,
            Codec::Gzip => Self::Gzip,
            Codec::Snappy => Self::Snappy,
            Codec::Lz4 => Self::Lz4,
            Codec::Zstd => Self::Zstd,
        }
    }
}

pub(crate) async fn run(args: ProduceArgs) -> anyhow::Result<ExitCode> {
    let client = args.cluster.client()?;
    let config =
        ProducerConfig { compression: args.compression.into(), ..ProducerConfig::default() };
    let producer = Producer::new(&client, config);
    let mut input = BufReader::new(tokio::io::stdin());
    let mut on_their_way = std::collections::VecDeque::new();
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        if input.read_until(b'\n', &mut line).await.context("cannot read standard input")? == 0 {
            break;
        }
        if line.len() > MAX_LINE_BYTES {
            bail!("line {number} has {} bytes; a record has at most {MAX_LINE_BYTES}", line.len());
        }
        let record = record(&args, text(&line)).with_context(|| format!("line {number}"))?;
        on_their_way.push_back(producer.send(record).await?);
        if on_their_way.len() > MAX_IN_FLIGHT {
            arrived(on_their_way.pop_front(), &args.topic).await?;
        }
    }
    producer.flush().await?;
    while let Some(delivery) = on_their_way.pop_front() {
        arrived(Some(delivery), &args.topic).await?;
    }
    producer.close().await?;
    Ok(ExitCode::SUCCESS)
}

async fn arrived(delivery: Option<Delivery>, topic: &str) -> anyhow::Result<()> {
    if let Some(delivery) = delivery {
        delivery.await.with_context(|| format!("cannot write to topic '{topic}'"))?;
    }
    Ok(())
}

/// The line without its ending.
fn text(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn record(args: &ProduceArgs, line: &[u8]) -> anyhow::Result<ProducerRecord> {
    let (key, value) = split(line, args.key_separator.as_deref())?;
    Ok(ProducerRecord {
        topic: args.topic.clone().into(),
        partition: args.partition,
        key: key.map(|key| typed(key, args.key_format)).transpose()?,
        value: Some(typed(value, args.value_format)?),
        headers: Vec::new(),
        timestamp_ms: None,
    })
}

fn split<'a>(
    line: &'a [u8],
    separator: Option<&str>,
) -> anyhow::Result<(Option<&'a [u8]>, &'a [u8])> {
    let Some(separator) = separator.map(str::as_bytes).filter(|separator| !separator.is_empty())
    else {
        return Ok((None, line));
    };
    match line.windows(separator.len()).position(|window| window == separator) {
        Some(at) => Ok((Some(&line[..at]), &line[at + separator.len()..])),
        None => bail!("there is no '{}' between key and value", String::from_utf8_lossy(separator)),
    }
}

/// Text is passed on byte by byte, so that what is no UTF-8 arrives as it was.
fn typed(part: &[u8], format: Format) -> anyhow::Result<Bytes> {
    match format {
        Format::String => Ok(Bytes::copy_from_slice(part)),
        _ => Ok(format.encode(&String::from_utf8_lossy(part))?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_at_the_first_separator() {
        assert_eq!(split(b"a:b:c", Some(":")).expect("split"), (Some(&b"a"[..]), &b"b:c"[..]));
        assert_eq!(split(b"a=>b", Some("=>")).expect("split"), (Some(&b"a"[..]), &b"b"[..]));
        assert_eq!(split(b"a:b", None).expect("whole"), (None, &b"a:b"[..]));
        let error = split(b"ab", Some(":")).expect_err("no separator").to_string();
        assert_eq!(error, "there is no ':' between key and value");
    }

    #[test]
    fn line_endings_are_no_part_of_a_record() {
        assert_eq!(text(b"a\r\n"), b"a");
        assert_eq!(text(b"a"), b"a");
        assert_eq!(text(b"\n"), b"");
    }
}
