//! The one owner of standard error: permanent lines scroll by, a live area (on a terminal) stays below them.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// A terminal that does not say how large it is.
const DEFAULT_COLUMNS: usize = 100;
const DEFAULT_ROWS: usize = 24;

/// Handle to the console; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Console {
    inner: Arc<Mutex<Inner>>,
    terminal: bool,
}

#[derive(Debug)]
struct Inner {
    /// Lines of the live area that are on the screen.
    shown: usize,
    live: Vec<String>,
}

impl Console {
    pub(crate) fn new() -> Self {
        let terminal = io::stderr().is_terminal()
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self { inner: Arc::new(Mutex::new(Inner { shown: 0, live: Vec::new() })), terminal }
    }

    /// Whether there is somebody to draw for.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// A line that stays.
    pub(crate) fn line(&self, text: &str) {
        self.write(text);
    }

    /// `error: …`, red where there is colour.
    pub(crate) fn error(&self, text: &str) {
        let label = if self.terminal { "\x1b[1;31merror:\x1b[0m" } else { "error:" };
        self.write(&format!("{label} {text}"));
    }

    /// Replaces the live area; nothing happens where there is no terminal.
    pub(crate) fn show(&self, lines: Vec<String>) {
        if !self.terminal {
            return;
        }
        let mut inner = self.lock();
        if inner.live != lines {
            inner.live = lines;
            inner.draw("");
        }
    }

    /// Leaves the live area on the screen as ordinary lines.
    pub(crate) fn release(&self) {
        let mut inner = self.lock();
        inner.live.clear();
        inner.shown = 0;
    }

    fn write(&self, text: &str) {
        self.lock().draw(&format!("{text}\n"));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Erases the live area, writes `permanent`, draws the live area again, in one write so that nothing flickers.
    /// A standard error that cannot be written to leaves nobody to tell, so failures are ignored.
    fn draw(&mut self, permanent: &str) {
        let mut out = String::new();
        if self.shown > 0 {
            out.push_str(&format!("\x1b[{}A\r\x1b[J", self.shown));
        }
        out.push_str(permanent);
        let (width, height) = size();
        let lines = fit(&self.live, height.saturating_sub(1));
        for line in &lines {
            out.push_str(&clip(line, width));
            out.push_str("\x1b[0m\n");
        }
        self.shown = lines.len();
        let _ = io::stderr().lock().write_all(out.as_bytes());
    }
}

/// Columns and rows of the terminal.
fn size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
    let known = |cells: Option<u16>, default| match cells {
        Some(cells) if cells > 0 => usize::from(cells),
        _ => default,
    };
    (
        known(size.as_ref().map(|size| size.ws_col), DEFAULT_COLUMNS),
        known(size.as_ref().map(|size| size.ws_row), DEFAULT_ROWS),
    )
}

/// As many lines as `rows` can hold: what has scrolled off the screen cannot be erased any more.
fn fit(lines: &[String], rows: usize) -> Vec<String> {
    if lines.len() <= rows {
        return lines.to_vec();
    }
    let shown = rows.saturating_sub(1);
    let mut fitting = lines[..shown].to_vec();
    fitting.push(format!("… and {} more", lines.len() - shown));
    fitting
}

/// Cuts `line` to `width` visible characters: a line that wraps would break the count of lines to erase.
fn clip(line: &str, width: usize) -> String {
    let (mut out, mut visible, mut in_escape) = (String::with_capacity(line.len()), 0, false);
    for c in line.chars() {
        if in_escape {
            in_escape = !c.is_ascii_alphabetic();
        } else if c == '\x1b' {
            in_escape = true;
        } else if visible + 1 >= width {
            out.push('…');
            break;
        } else {
            visible += 1;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_screen_shows_the_first_lines_and_how_many_more() {
        let lines: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        assert_eq!(fit(&lines, 3), lines);
        assert_eq!(fit(&lines, 2), ["a", "… and 2 more"]);
    }

    #[test]
    fn clipping_counts_only_what_is_seen() {
        assert_eq!(clip("\x1b[1mabcdef\x1b[0m", 10), "\x1b[1mabcdef\x1b[0m");
        assert_eq!(clip("\x1b[1mabcdef", 4), "\x1b[1mabc…");
    }
}
