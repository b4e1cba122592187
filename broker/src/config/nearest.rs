/// The name that looks most like `key`, if any does.
pub(super) fn nearest<'a>(key: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Beyond that length nobody meant one of our names; the cost grows with it.
    const LONGEST: usize = 100;
    if key.len() > LONGEST {
        return None;
    }
    let most = (key.len() / 3).max(1);
    names.map(|name| (distance(key, name), name)).filter(|(d, _)| *d <= most).min().map(|(_, n)| n)
}

/// How many characters must be added, dropped or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name() {
        let names = ["log.retention.ms", "log.retention.bytes", "num.partitions"];
        let ask = |key| nearest(key, names.into_iter());
        assert_eq!(ask("log.retentoin.ms"), Some("log.retention.ms"));
        assert_eq!(ask("num.partition"), Some("num.partitions"));
        assert_eq!(ask("zzz"), None);
        assert_eq!(ask(&"log.retention.ms".repeat(50)), None);
    }
}
