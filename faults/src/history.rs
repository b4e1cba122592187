//! What clients did and saw, read back from the lines that the drivers wrote.
//!
//! | line | fields, with a tab between them, a time in nanoseconds at the end | by |
//! |---|---|---|
//! | `T` | number, partition: an attempt to write | producers |
//! | `K` | number, partition, offset (below 0: not told): acknowledged | producers |
//! | `F` | number, partition, error: given up after all retries | producers |
//! | `A`, `V` | partitions given, taken (`-`: none) | consumers |
//! | `P` | partition, offset, value: read | consumers, the last reader |
//! | `C` | partition, offset: committed for the group, and told so | consumers |
//! | `N` | error: of a poll or a commit; tried again | consumers |
//! | `L` | partition, first offset, end | the last reader |
//! | `E` | end of the load, or of reading | all |

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};

pub(crate) type Partition = i32;
pub(crate) type Offset = i64;
/// Nanoseconds of CLOCK_MONOTONIC.
pub(crate) type Time = u64;

/// A record's value: who wrote it, and as which of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Value {
    pub(crate) producer: String,
    pub(crate) number: u64,
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.producer, self.number)
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Attempt { number: u64, partition: Partition },
    Acknowledged { number: u64, partition: Partition, offset: Offset },
    Failed { number: u64, partition: Partition, error: String },
    Assigned(BTreeSet<Partition>),
    Revoked(BTreeSet<Partition>),
    Read { partition: Partition, offset: Offset, value: Value },
    Committed { partition: Partition, offset: Offset },
    Trouble(String),
    Bounds { partition: Partition, first: Offset, end: Offset },
    End,
}

/// All lines of one client, in the order in which it wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) events: Vec<(Time, Event)>,
}

impl Client {
    /// Reads a driver's output. A last line without its end is what a killed driver leaves: left out.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self> {
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let events = whole
            .lines()
            .map(|line| event(line).with_context(|| format!("{name} wrote the line {line:?}")))
            .collect::<Result<_>>()?;
        Ok(Self { name: name.to_owned(), events })
    }
}

/// Everything about one run.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) producers: Vec<Client>,
    pub(crate) consumers: Vec<Client>,
    /// What the log holds at the end, as a reader of its own saw it.
    pub(crate) last_read: Client,
    /// The group's offsets at the end, as the group's coordinator tells them; empty when not asked.
    pub(crate) group_offsets: BTreeMap<Partition, Offset>,
}

fn event(line: &str) -> Result<(Time, Event)> {
    let fields: Vec<&str> = line.split('\t').collect();
    let (time, fields) = fields.split_last().context("no time")?;
    let event = match *fields {
        ["T", number, partition] => {
            Event::Attempt { number: number.parse()?, partition: partition.parse()? }
        }
        ["K", number, partition, offset] => Event::Acknowledged {
            number: number.parse()?,
            partition: partition.parse()?,
            offset: offset.parse()?,
        },
        ["F", number, partition, error] => Event::Failed {
            number: number.parse()?,
            partition: partition.parse()?,
            error: error.to_owned(),
        },
        ["A", list] => Event::Assigned(partitions(list)?),
        ["V", list] => Event::Revoked(partitions(list)?),
        ["P", partition, offset, text] => Event::Read {
            partition: partition.parse()?,
            offset: offset.parse()?,
            value: value(text)?,
        },
        ["C", partition, offset] => {
            Event::Committed { partition: partition.parse()?, offset: offset.parse()? }
        }
        ["N", error] => Event::Trouble(error.to_owned()),
        ["L", partition, first, end] => Event::Bounds {
            partition: partition.parse()?,
            first: first.parse()?,
            end: end.parse()?,
        },
        ["E"] => Event::End,
        _ => bail!("no line of this form is known"),
    };
    Ok((time.parse().context("no time at the end")?, event))
}

fn partitions(list: &str) -> Result<BTreeSet<Partition>> {
    if list == "-" {
        return Ok(BTreeSet::new());
    }
    list.split(',').map(|partition| Ok(partition.parse()?)).collect()
}

fn value(text: &str) -> Result<Value> {
    let (producer, number) = text.split_once(':').context("no value of a producer here")?;
    Ok(Value { producer: producer.to_owned(), number: number.parse()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back_and_a_torn_one_is_left_out() {
        let text = "T\t1\t0\t10\nK\t1\t0\t5\t20\nP\t0\t5\tp:1\t30\nA\t0,2\t40\nV\t-\t41\nE\t5";
        let client = Client::parse("p", text).unwrap();
        let value = Value { producer: "p".into(), number: 1 };
        let expected = vec![
            (10, Event::Attempt { number: 1, partition: 0 }),
            (20, Event::Acknowledged { number: 1, partition: 0, offset: 5 }),
            (30, Event::Read { partition: 0, offset: 5, value }),
            (40, Event::Assigned([0, 2].into())),
            (41, Event::Revoked(BTreeSet::new())),
        ];
        assert_eq!(client.events, expected);
    }

    #[test]
    fn a_line_that_nobody_knows_is_an_error_that_shows_it() {
        let error = Client::parse("p", "X\t1\t2\n").unwrap_err();
        assert!(format!("{error:#}").contains("p wrote the line \"X"), "{error:#}");
    }
}
