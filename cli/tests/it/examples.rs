//! Both examples, run to their end, against counts made here.

use std::collections::BTreeMap;

use crate::process::{Example, Up};

/// What `tr`, `sort` and `uniq -c` would say of the text.
pub(crate) fn count_words(text: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for word in text
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
    {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    counts
}

/// The last count of each key that the sink wrote.
pub(crate) fn last_counts(text: &str) -> BTreeMap<String, u64> {
    let pair = |line: &str| {
        let (key, count) = line.split_once('\t')?;
        Some((key.to_owned(), count.parse().ok()?))
    };
    text.lines().map(|line| pair(line).unwrap_or_else(|| panic!("not a count: '{line}'"))).collect()
}

#[test]
fn wordcount_counts_every_word_once() {
    let example = Example::copy("wordcount");
    let up = Up::start(["-f", example.folder(), "--data-dir", &example.data(), "--once"]);
    let (status, said) = up.end();
    assert!(status.success(), "{said}");
    assert!(said.contains("done: all input is used up and every result is written"), "{said}");
    assert_eq!(last_counts(&example.read("counts.txt")), count_words(&example.read("lines.txt")));
}

#[test]
fn a_second_run_finds_nothing_to_do_and_a_longer_file_is_gone_on_with() {
    let example = Example::copy("wordcount");
    let args = ["-f", example.folder(), "--data-dir", &example.data(), "--once"];
    assert!(Up::start(args).end().0.success());
    let first = example.read("counts.txt");

    assert!(Up::start(args).end().0.success());
    assert_eq!(example.read("counts.txt"), first, "nothing is counted twice");

    example.append("lines.txt", "the zugvogel and the zugvogel\n");
    assert!(Up::start(args).end().0.success());
    let counts = last_counts(&example.read("counts.txt"));
    assert_eq!(counts, count_words(&example.read("lines.txt")));
    assert_eq!(counts["zugvogel"], 2);
}

#[test]
fn users_per_region_follows_moves() {
    let example = Example::copy("users-per-region");
    let up = Up::start(["-f", example.folder(), "--ephemeral", "--once"]);
    let (status, said) = up.end();
    assert!(status.success(), "{said}");

    let mut region_of = BTreeMap::new();
    for line in example.read("moves.txt").lines() {
        let (user, region) = line.split_once(' ').expect("a user and a region");
        region_of.insert(user.to_owned(), region.to_owned());
    }
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for region in region_of.into_values() {
        *expected.entry(region).or_default() += 1;
    }
    let mut found = last_counts(&example.read("regions.txt"));
    found.retain(|_, count| *count > 0);
    assert_eq!(found, expected);
}
