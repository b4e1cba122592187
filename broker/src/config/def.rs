use std::str::FromStr;

/// One config that Kafka knows.
#[derive(Debug)]
pub(crate) struct ConfigDef {
    /// Kafka's key.
    pub(crate) name: &'static str,
    /// Its type.
    pub(crate) kind: Kind,
    /// What holds when nothing is set; `None`: nothing holds.
    pub(crate) default: Option<&'static str>,
    /// Which values are allowed.
    pub(crate) valid: Valid,
    /// Whether it may be changed while the broker runs.
    pub(crate) update: Update,
    /// Kafka's documentation of it.
    pub(crate) doc: &'static str,
}

/// The type of a config's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `true` or `false`.
    Boolean,
    /// 32 bits.
    Int,
    /// 16 bits.
    Short,
    /// 64 bits.
    Long,
    /// Floating point.
    Double,
    /// Items separated by commas.
    List,
    /// Any text.
    Text,
    /// Text that is never shown.
    Password,
    /// A Java class: kept for clients that ask, never loaded.
    Class,
}

/// Allowed values, beyond the type.
#[derive(Debug)]
pub(crate) enum Valid {
    /// Whatever the type allows.
    Any,
    /// From here on.
    AtLeast(i64),
    /// From the first to the second.
    Range(i64, i64),
    /// From the first to the second.
    Between(f64, f64),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// One of these, in upper or lower case.
    OneOfAnyCase(&'static [&'static str]),
    /// A list of these.
    ListOf(&'static [&'static str]),
    /// Not empty.
    NonEmpty,
    /// 1 to 9, or -1.
    GzipLevel,
    /// `*`, or `partition:broker,…`.
    ThrottledReplicas,
}

/// Where a config may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Update {
    /// In the broker's properties only.
    ReadOnly,
    /// While running, for one broker.
    PerBroker,
    /// While running, for one broker, all brokers or (topic configs) a topic.
    ClusterWide,
}

impl ConfigDef {
    /// Checks a value.
    ///
    /// # Errors
    /// What the value must be.
    pub(crate) fn check(&self, value: &str) -> Result<(), String> {
        match self.kind {
            Kind::Boolean => match value.trim().to_ascii_lowercase().as_str() {
                "true" | "false" => Ok(()),
                _ => Err("Expected value to be either true or false".to_owned()),
            },
            Kind::Short => {
                number::<i16>(value, "SHORT").and_then(|n| self.valid.check_integer(n.into()))
            }
            Kind::Int => {
                number::<i32>(value, "INT").and_then(|n| self.valid.check_integer(n.into()))
            }
            Kind::Long => number(value, "LONG").and_then(|n| self.valid.check_integer(n)),
            Kind::Double => number(value, "DOUBLE").and_then(|n| self.valid.check_double(n)),
            Kind::List | Kind::Text | Kind::Password | Kind::Class => self.valid.check_text(value),
        }
    }

    /// Whether its value must never be shown.
    pub(crate) fn is_sensitive(&self) -> bool {
        self.kind == Kind::Password
    }
}

fn number<T: FromStr>(value: &str, kind: &str) -> Result<T, String> {
    value.trim().parse().map_err(|_| format!("Not a number of type {kind}"))
}

impl Valid {
    fn check_integer(&self, n: i64) -> Result<(), String> {
        match *self {
            Valid::AtLeast(low) if n < low => Err(format!("Value must be at least {low}")),
            Valid::Range(low, high) if n < low => {
                Err(format!("Value must be at least {low} (and no more than {high})"))
            }
            Valid::Range(low, high) if n > high => {
                Err(format!("Value must be no more than {high} (and at least {low})"))
            }
            Valid::GzipLevel if n != -1 && !(1..=9).contains(&n) => {
                Err("Value must be between 1 and 9 or equal to -1".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn check_double(&self, n: f64) -> Result<(), String> {
        match *self {
            Valid::Between(low, high) if !(low..=high).contains(&n) => {
                Err(format!("Value must be between {low} and {high}"))
            }
            _ if n.is_nan() => Err("Value must be a number".to_owned()),
            _ => Ok(()),
        }
    }

    fn check_text(&self, value: &str) -> Result<(), String> {
        match *self {
            Valid::OneOf(names) if !names.contains(&value) => {
                Err(format!("String must be one of: {}", names.join(", ")))
            }
            Valid::OneOfAnyCase(names)
                if !names.iter().any(|name| name.eq_ignore_ascii_case(value)) =>
            {
                Err(format!("String must be one of (case insensitive): {}", names.join(", ")))
            }
            Valid::ListOf(names) => {
                match list_items(value).find(|item| !names.contains(item)) {
                    Some(item) => {
                        Err(format!("`{item}` is none of the allowed items: {}", names.join(", ")))
                    }
                    None => Ok(()),
                }
            }
            Valid::NonEmpty if value.trim().is_empty() => {
                Err("String must be non-empty".to_owned())
            }
            Valid::ThrottledReplicas if !throttled_replicas(value) => Err(
                "must be the literal '*' or a list of replicas in the form [partitionId]:[brokerId],…"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }
}

/// Items of a value of type LIST.
pub(crate) fn list_items(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn throttled_replicas(value: &str) -> bool {
    let replica = |item: &str| {
        item.split_once(':').is_some_and(|(partition, broker)| {
            partition.parse::<u32>().is_ok() && broker.parse::<u32>().is_ok()
        })
    };
    value.trim() == "*" || list_items(value).all(replica)
}
