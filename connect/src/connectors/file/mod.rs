//! Kafka's file connectors: a text file's lines become records, and records become lines.
//!
//! * [`reader`]: follows a file, line by line, by byte position.
//! * [`source`]: the source connector and its task.
//! * [`format`]: how a record is written as a line.
//! * [`journal`]: what makes the sink's file hold every record once.
//! * [`sink`]: the sink connector and its task.

pub mod format;
pub mod journal;
pub mod reader;
pub mod sink;
pub mod source;

pub use sink::FileStreamSinkConnector;
pub use source::FileStreamSourceConnector;

/// The key that names the file, relative to the worker's folder for files.
pub const FILE: &str = "file";

fn check_file(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err("a worker has no standard input or output; name a file".to_owned());
    }
    if path.contains('\0') {
        return Err("a path holds no NUL".to_owned());
    }
    Ok(())
}
