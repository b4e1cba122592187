//! How an object is doing, in the words of its conditions on Kubernetes.

use super::object::Refusal;

/// An object's state. `Stalled` means that somebody must change something, `Reconciling` that it will get there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Reconciling,
    Ready,
    Stalled(Refusal),
}

impl State {
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Reconciling => "Reconciling",
            Self::Ready => "Ready",
            Self::Stalled(_) => "Stalled",
        }
    }
}

/// A state and what is worth knowing beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) state: State,
    /// A few words: what it waits for, how many records.
    pub(crate) detail: String,
}

impl Status {
    pub(crate) fn ready(detail: impl Into<String>) -> Self {
        Self { state: State::Ready, detail: detail.into() }
    }

    pub(crate) fn reconciling(detail: impl Into<String>) -> Self {
        Self { state: State::Reconciling, detail: detail.into() }
    }

    pub(crate) fn stalled(refusal: Refusal) -> Self {
        Self { detail: refusal.to_string(), state: State::Stalled(refusal) }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.state == State::Ready
    }
}

/// `1 partition`, `2 partitions`.
pub(crate) fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {one}s", grouped(number)) }
}

/// Digits in groups of three, as people read them.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(1, "record"), "1 record");
        assert_eq!(count(0, "record"), "0 records");
        assert_eq!(count(1234567, "record"), "1,234,567 records");
        assert_eq!(grouped(999), "999");
    }
}
