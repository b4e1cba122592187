//! Logs go to standard error through the [`Console`], so that they never tear the live display of `up`.

mod json;

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::args::{LogFormat, LoggingArgs};
use crate::console::Console;

/// Starts logging: what RUST_LOG says, or else `default_level`.
pub(crate) fn init(args: &LoggingArgs, default_level: &str, console: &Console) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default_level));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(Lines(console.clone()));
    match args.log_format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.event_format(json::JsonLines).init(),
    }
}

/// Makes one [`Line`] an event.
#[derive(Debug, Clone)]
struct Lines(Console);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { console: self.0.clone(), text: Vec::new() }
    }
}

/// Collects one event and hands it to the console whole.
#[derive(Debug)]
struct Line {
    console: Console,
    text: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.console.line(String::from_utf8_lossy(&self.text).trim_end());
    }
}
