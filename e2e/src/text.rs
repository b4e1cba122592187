//! Texts of the size of a book, and what the tools of any Unix say of their words.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// Times each word was seen.
pub type Counts = BTreeMap<String, u64>;

const WORDS_IN_LANGUAGE: u64 = 8_000;
const WORDS_IN_LINE: u64 = 11;

/// A text of at least `size` bytes, the same for the same `seed`: words as unevenly spread as in a real
/// language (Zipf's law), with capitals, punctuation, and an empty line now and then.
pub fn book(size: usize, seed: u64) -> String {
    let mut random = Random(seed);
    let mut text = String::with_capacity(size + 128);
    while text.len() < size {
        if random.below(20) == 0 {
            text.push('\n');
            continue;
        }
        for position in 0..=random.below(2 * WORDS_IN_LINE) {
            let word = word(random.zipf(WORDS_IN_LANGUAGE));
            let separator = match (position, random.below(12)) {
                (0, _) => "",
                (_, 0) => ", ",
                (_, 1) => "; ",
                (_, 2) => " - ",
                _ => " ",
            };
            let capital = position == 0 || random.below(15) == 0;
            let (first, rest) = word.split_at(1);
            let first = if capital { first.to_uppercase() } else { first.to_owned() };
            // Writing to a String cannot fail.
            let _ = write!(text, "{separator}{first}{rest}");
        }
        text.push_str(".\n");
    }
    text
}

/// The word of a rank: syllables, so that frequent words are short.
fn word(rank: u64) -> String {
    const SYLLABLES: [&str; 20] = [
        "vl", "ta", "va", "mo", "re", "ka", "pra", "ha", "le", "be", "ru", "most", "o", "di",
        "sen", "ny", "kra", "lu", "mel", "nik",
    ];
    let (mut word, mut rest) = (String::new(), rank + 1);
    while rest > 0 {
        word.push_str(SYLLABLES[(rest % SYLLABLES.len() as u64) as usize]);
        rest /= SYLLABLES.len() as u64;
    }
    word
}

/// A generator of numbers that needs no crate and gives the same on every machine (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A rank below `limit`, rank r about as often as 1/r.
    fn zipf(&mut self, limit: u64) -> u64 {
        let uniform = self.next() as f64 / u64::MAX as f64;
        ((limit as f64).powf(uniform) - 1.0) as u64
    }
}

/// The counts of lower-cased words by `tr`, `sort` and `uniq -c`. A word is a run of letters, digits and
/// underscores, which for ASCII is what the example's `\W+` leaves.
pub fn counts_by_unix_tools(text: &str) -> Result<Counts> {
    let script = r"tr 'A-Z' 'a-z' | tr -sc 'a-z0-9_' '\n' | grep -v '^$' | LC_ALL=C sort | uniq -c";
    let output = process::run(Command::new("sh").args(["-c", script]), text)?;
    output
        .lines()
        .map(|line| {
            let (count, word) = line.trim().split_once(' ').context("uniq -c wrote no count")?;
            Ok((word.to_owned(), count.parse()?))
        })
        .collect()
}

/// The counts that lines `word TAB count` end with. A line that is none is an error: nothing that was
/// written may be torn.
pub fn last_counts(text: &str) -> Result<Counts> {
    text.lines()
        .map(|line| {
            let (word, count) =
                line.split_once('\t').with_context(|| format!("no line of ours: {line:?}"))?;
            let count = count.parse().with_context(|| format!("no line of ours: {line:?}"))?;
            Ok((word.to_owned(), count))
        })
        .collect()
}

/// Says which counts are not between the expected ones and those with `again` counted twice, or nothing when all are: what a
/// worker that was killed had read and not committed yet is read again (at least once).
pub fn outside(expected: &Counts, again: &Counts, found: &Counts) -> Option<String> {
    let allowed = expected.iter().map(|(word, count)| {
        let found = found.get(word).copied().unwrap_or(0);
        (word.clone(), found.clamp(*count, count + again.get(word).copied().unwrap_or(0)))
    });
    difference(&allowed.collect(), found)
}

/// Says how two counts differ, or nothing when they agree.
pub fn difference(expected: &Counts, found: &Counts) -> Option<String> {
    let mut wrong = Vec::new();
    for (word, count) in expected {
        match found.get(word) {
            Some(same) if same == count => {}
            other => wrong.push(format!("{word}: {} instead of {count}", other.unwrap_or(&0))),
        }
    }
    for (word, count) in found {
        if !expected.contains_key(word) {
            wrong.push(format!("{word}: {count}, which is not in the text"));
        }
    }
    let shown = wrong.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
    (!wrong.is_empty())
        .then(|| format!("{} of {} words differ: {shown}", wrong.len(), expected.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_is_big_enough_and_the_same_every_time() {
        let text = book(100_000, 7);
        assert!(text.len() >= 100_000 && text.len() < 101_000);
        assert_eq!(text, book(100_000, 7));
        assert_ne!(text, book(100_000, 8));
        assert!(text.is_ascii() && text.contains("\n\n"));
    }

    #[test]
    fn words_are_spread_as_in_a_language() {
        let counts = counts_by_unix_tools(&book(200_000, 1)).unwrap();
        let most = counts.values().max().copied().unwrap_or(0);
        assert!(counts.len() > 1000, "{} words", counts.len());
        assert!(most > 1000, "the most frequent word comes {most} times");
    }

    #[test]
    fn counts_lower_cased_words() {
        let counts = counts_by_unix_tools("Hello, hello world!\n\nworld_1").unwrap();
        let expected = [("hello", 2), ("world", 1), ("world_1", 1)];
        assert_eq!(counts, expected.map(|(word, n)| (word.to_owned(), n)).into());
    }

    #[test]
    fn what_is_read_again_may_count_twice_and_nothing_else() {
        let counts =
            |pairs: &[(&str, u64)]| pairs.iter().map(|(w, n)| ((*w).to_owned(), *n)).collect();
        let (expected, again): (Counts, Counts) =
            (counts(&[("a", 5), ("b", 2)]), counts(&[("a", 3)]));
        for fine in [[("a", 5), ("b", 2)], [("a", 8), ("b", 2)]] {
            assert_eq!(outside(&expected, &again, &counts(&fine)), None);
        }
        for wrong in
            [[("a", 4), ("b", 2)], [("a", 9), ("b", 2)], [("a", 5), ("b", 3)], [("a", 5), ("c", 2)]]
        {
            assert!(outside(&expected, &again, &counts(&wrong)).is_some(), "{wrong:?}");
        }
    }

    #[test]
    fn the_last_line_of_a_word_counts() {
        let counts = last_counts("a\t1\nb\t1\na\t2\n").unwrap();
        assert_eq!(counts, Counts::from([("a".to_owned(), 2), ("b".to_owned(), 1)]));
        assert!(last_counts("a\t1\nb").is_err());
        assert!(last_counts("a\t1b\t2").is_err());
    }

    #[test]
    fn a_difference_names_words() {
        let expected: Counts = [("a".to_owned(), 1), ("b".to_owned(), 2)].into();
        let found: Counts = [("a".to_owned(), 1), ("c".to_owned(), 2)].into();
        let difference = difference(&expected, &found).unwrap();
        assert!(difference.contains("b: 0 instead of 2"), "{difference}");
        assert!(difference.contains("c: 2, which is not in the text"), "{difference}");
        assert_eq!(super::difference(&expected, &expected), None);
    }
}
