//! "Did you mean …?"

/// More edits than this are another word, not a typing error.
const MAX_EDITS: usize = 2;

/// The candidate nearest to `word`, if it is near enough to be what was meant.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let allowed = MAX_EDITS.min(word.chars().count() / 2);
    candidates
        .into_iter()
        .map(|candidate| (edits(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(count, _)| *count <= allowed)
        .min_by_key(|(count, _)| *count)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, in characters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replace = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_typing_error_and_nothing_else() {
        let fields = ["partitions", "replicas", "config"];
        assert_eq!(nearest("partitons", fields), Some("partitions"));
        assert_eq!(nearest("Replicas", fields), Some("replicas"));
        assert_eq!(nearest("retention", fields), None);
        assert_eq!(nearest("x", ["y"]), None);
    }
}
