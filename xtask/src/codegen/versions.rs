//! Ranges of versions as Kafka writes them: `none`, `3`, `3+`, `3-7`.

use anyhow::Context;

/// An inclusive range of versions; empty when `first > last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) first: i16,
    pub(super) last: i16,
}

impl Versions {
    pub(super) const NONE: Self = Self { first: 1, last: 0 };

    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let number = |t: &str| t.trim().parse().with_context(|| format!("versions {text:?}"));
        Ok(match text.trim() {
            "none" => Self::NONE,
            t => match (t.strip_suffix('+'), t.split_once('-')) {
                (Some(first), _) => Self { first: number(first)?, last: i16::MAX },
                (None, Some((first, last))) => Self { first: number(first)?, last: number(last)? },
                (None, None) => Self { first: number(t)?, last: number(t)? },
            },
        })
    }

    pub(super) fn is_empty(self) -> bool {
        self.first > self.last
    }

    pub(super) fn contains(self, version: i16) -> bool {
        self.first <= version && version <= self.last
    }

    pub(super) fn and(self, other: Self) -> Self {
        let both = Self { first: self.first.max(other.first), last: self.last.min(other.last) };
        if both.is_empty() { Self::NONE } else { both }
    }
}

/// When a piece of generated code applies, given that the version is known to be within some range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum When {
    Always,
    Never,
    /// A Rust expression over `v`.
    If(String),
}

impl When {
    /// `v ∈ wanted`, given `v ∈ known`.
    pub(super) fn new(wanted: Versions, known: Versions) -> Self {
        let both = wanted.and(known);
        if both.is_empty() {
            return Self::Never;
        }
        match (both.first == known.first, both.last == known.last) {
            (true, true) => Self::Always,
            (true, false) => Self::If(format!("v <= {}", both.last)),
            (false, true) => Self::If(format!("v >= {}", both.first)),
            (false, false) if both.first == both.last => Self::If(format!("v == {}", both.first)),
            (false, false) => Self::If(format!("({}..={}).contains(&v)", both.first, both.last)),
        }
    }

    /// As a boolean expression.
    pub(super) fn expression(&self) -> &str {
        match self {
            Self::Always => "true",
            Self::Never => "false",
            Self::If(condition) => condition,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_kafka_writes_them() {
        assert_eq!(Versions::parse("0-4").unwrap(), Versions { first: 0, last: 4 });
        assert_eq!(Versions::parse("2+").unwrap(), Versions { first: 2, last: i16::MAX });
        assert_eq!(Versions::parse("3").unwrap(), Versions { first: 3, last: 3 });
        assert!(Versions::parse("none").unwrap().is_empty());
        assert!(Versions::parse("x").is_err());
    }

    #[test]
    fn conditions_say_no_more_than_is_needed() {
        let known = Versions { first: 2, last: 9 };
        let when = |text: &str| When::new(Versions::parse(text).unwrap(), known);
        assert_eq!(when("0+"), When::Always);
        assert_eq!(when("0-1"), When::Never);
        assert_eq!(when("3+").expression(), "v >= 3");
        assert_eq!(when("0-3").expression(), "v <= 3");
        assert_eq!(when("3-7").expression(), "(3..=7).contains(&v)");
    }
}
