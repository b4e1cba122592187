//! A file is cut at its `---` lines first, so that a mistake in one document leaves the others readable.

use super::node::{Node, Position, Value};

/// Deeper nesting than any object needs.
const MAX_DEPTH: usize = 64;
/// Values and keys in one document.
const MAX_NODES: usize = 200_000;

/// One document of a file that can be read.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) root: Node,
}

/// A document that is no YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not valid YAML: {message}")]
pub(crate) struct SyntaxError {
    pub(crate) at: Position,
    pub(crate) message: String,
}

/// The documents of `text` in their order; empty ones are left out.
pub(crate) fn documents(text: &str) -> Vec<Result<Document, SyntaxError>> {
    cut(text)
        .into_iter()
        .filter_map(|(lines_before, part)| match read(part) {
            Ok(mut root) => {
                root.shift_lines(lines_before);
                (!matches!(root.value, Value::Null)).then_some(Ok(Document { root }))
            }
            Err(mut error) => {
                error.at.line = error.at.line.saturating_add(lines_before);
                Some(Err(error))
            }
        })
        .collect()
}

fn read(part: &str) -> Result<Node, SyntaxError> {
    if part.lines().all(|line| line.trim_start().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Node { at: Position::START, value: Value::Null });
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES },
    };
    serde_saphyr::from_str_with_options::<Node>(part, options).map_err(|error| {
        let at = error.location().map_or(Position::START, |location| Position {
            line: u32::try_from(location.line().max(1)).unwrap_or(u32::MAX),
            column: u32::try_from(location.column().max(1)).unwrap_or(u32::MAX),
        });
        SyntaxError { at, message: first_sentence(&error.without_snippet().to_string()) }
    })
}

/// The parser repeats the position and adds notes; one sentence is enough beside `file:line`.
fn first_sentence(message: &str) -> String {
    let line =
        message.lines().find(|line| !line.trim().is_empty()).unwrap_or("it cannot be read").trim();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    let line = line.find(" at line ").map_or(line, |end| &line[..end]);
    line.trim_end_matches(['.', ':', ',']).to_owned()
}

/// (lines before the part, part). A marker line belongs to no part, but what follows `---` on its line does.
fn cut(text: &str) -> Vec<(u32, &str)> {
    let mut parts = Vec::new();
    let (mut start, mut start_line) = (0, 0);
    let (mut offset, mut line_number) = (0, 0u32);
    for line in text.split_inclusive('\n') {
        let next = offset + line.len();
        if is_marker(line, "---") {
            parts.push((start_line, &text[start..offset]));
            let inline = !line[3..].trim().is_empty();
            (start, start_line) =
                if inline { (offset + 3, line_number) } else { (next, line_number + 1) };
        } else if is_marker(line, "...") {
            parts.push((start_line, &text[start..offset]));
            (start, start_line) = (next, line_number + 1);
        }
        offset = next;
        line_number = line_number.saturating_add(1);
    }
    parts.push((start_line, &text[start..]));
    parts
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

#[cfg(test)]
mod tests {
    use super::super::path::parse_path;
    use super::*;

    const TEXT: &str = "# a comment\na: 1\nb:\n  c: [x, \"y\"]\n  'd.e': |\n    one\n    two\n---\n# only a comment\n---\nlist:\n- name: first\n  where: \"x > 1\"\n";

    #[test]
    fn positions_count_from_the_top_of_the_file() {
        let documents: Vec<_> = documents(TEXT).into_iter().map(|d| d.expect("valid")).collect();
        assert_eq!(documents.len(), 2);
        let at = |document: usize, path: &str| {
            let position = documents[document].root.locate(&parse_path(path));
            (position.line, position.column)
        };
        assert_eq!(at(0, "a"), (2, 4));
        assert_eq!(at(0, "b"), (3, 1));
        assert_eq!(at(0, "b.c[1]"), (4, 10));
        assert_eq!(
            at(0, "b[\"d.e\"]").0,
            6,
            "the first line of the text, so that a line inside it can be added"
        );
        assert_eq!(at(1, "list"), (11, 1));
        assert_eq!(at(1, "list[0].where"), (13, 10));
        assert_eq!(at(1, "list[first].where"), (13, 10));
        assert_eq!(at(1, "list[0].nothing").0, 12, "the deepest part that exists");
    }

    #[test]
    fn a_mistake_leaves_the_other_documents_readable() {
        let found = documents("a: 1\n---\nb: [1, 2\nc: 3\n---\nd: 4\n");
        assert_eq!(found.len(), 3);
        assert!(found[0].is_ok() && found[2].is_ok());
        let error = found[1].as_ref().expect_err("an unclosed bracket");
        assert!((3..=5).contains(&error.at.line), "{error:?}");
    }

    #[test]
    fn a_key_given_twice_is_refused_at_its_line() {
        let error = documents("a: 1\nb: 2\na: 3\n").remove(0).expect_err("twice");
        assert_eq!(error.at.line, 3);
        assert!(error.message.contains("duplicate"), "{}", error.message);
    }

    #[test]
    fn aliases_cannot_blow_up() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..12 {
            let item = format!("*a{}, ", i - 1).repeat(10);
            bomb.push_str(&format!("a{i}: &a{i} [{}]\n", item.trim_end_matches(", ")));
        }
        assert!(documents(&bomb).remove(0).is_err());
    }

    #[test]
    fn numbers_with_units_stay_text_and_markers_inside_text_are_not_markers() {
        let document =
            documents("size: 10Gi\ntext: |\n  ---\n  still text\n").remove(0).expect("valid");
        assert_eq!(document.root.get("size").and_then(Node::as_str), Some("10Gi"));
        assert_eq!(document.root.get("text").and_then(Node::as_str), Some("---\nstill text\n"));
    }
}
