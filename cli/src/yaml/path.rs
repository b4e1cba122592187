//! Paths into a document, as diagnostics write them: `pipelines[0].steps[1].filter.where`, `config["line.format"]`.

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    Key(String),
    Index(usize),
}

impl Segment {
    pub(crate) fn key(key: impl Into<String>) -> Self {
        Self::Key(key.into())
    }
}

/// Reads a path; what cannot be read as one ends it, since half a path still finds the right neighbourhood.
/// A leading `$`, `.` or `/` is skipped and JSON pointers (`/pipelines/0/steps`) are understood.
pub(crate) fn parse_path(path: &str) -> Vec<Segment> {
    if let Some(pointer) = path.strip_prefix('/') {
        return pointer.split('/').map(pointer_segment).collect();
    }
    let mut segments = Vec::new();
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
        } else if let Some(after) = rest.strip_prefix('[') {
            let Some((inside, after)) = bracket(after) else { break };
            segments.push(inside);
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            segments.push(Segment::key(&rest[..end]));
            rest = &rest[end..];
        }
    }
    segments
}

fn bracket(after: &str) -> Option<(Segment, &str)> {
    for quote in ['"', '\''] {
        if let Some(text) = after.strip_prefix(quote) {
            let (key, rest) = text.split_once(quote)?;
            return Some((Segment::key(key), rest.strip_prefix(']')?));
        }
    }
    let (inside, rest) = after.split_once(']')?;
    Some((inside.parse().map_or_else(|_| Segment::key(inside), Segment::Index), rest))
}

fn pointer_segment(part: &str) -> Segment {
    part.parse()
        .map_or_else(|_| Segment::key(part.replace("~1", "/").replace("~0", "~")), Segment::Index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_dots_brackets_quotes_and_pointers() {
        let key = |key: &str| Segment::key(key);
        assert_eq!(
            parse_path("pipelines[0].steps[1].filter.where"),
            [
                key("pipelines"),
                Segment::Index(0),
                key("steps"),
                Segment::Index(1),
                key("filter"),
                key("where")
            ]
        );
        assert_eq!(parse_path("$.config[\"line.format\"]"), [key("config"), key("line.format")]);
        assert_eq!(parse_path("/sources/2/key"), [key("sources"), Segment::Index(2), key("key")]);
        assert_eq!(parse_path("steps[words].filter"), [key("steps"), key("words"), key("filter")]);
        assert_eq!(parse_path("steps[0"), [key("steps")]);
        assert_eq!(parse_path(""), []);
    }
}
