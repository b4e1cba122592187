//! Running programs to their end: with text on standard input, with a deadline, with all output kept.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Programs that hang are ended after this: long for a program, short for somebody who waits.
const DEADLINE: Duration = Duration::from_secs(180);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How a program ended and what it wrote.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the program with `input` on its standard input; fails if it fails, with what it wrote.
pub fn run(command: &mut Command, input: &str) -> Result<String> {
    let finished = try_run(command, input)?;
    if !finished.status.success() {
        bail!(
            "{command:?} failed ({})\n{}\n{}",
            finished.status,
            finished.stdout.trim(),
            finished.stderr.trim()
        );
    }
    Ok(finished.stdout)
}

/// Runs the program with `input` on its standard input, however it ends; fails if it does not end.
pub fn try_run(command: &mut Command, input: &str) -> Result<Finished> {
    // Files and not pipes: nobody needs to read while the program writes.
    let (mut stdin, mut stdout, mut stderr) =
        (tempfile::tempfile()?, tempfile::tempfile()?, tempfile::tempfile()?);
    stdin.write_all(input.as_bytes())?;
    stdin.seek(SeekFrom::Start(0))?;
    let mut child = command
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout.try_clone()?))
        .stderr(Stdio::from(stderr.try_clone()?))
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let deadline = Instant::now() + DEADLINE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            bail!(
                "{command:?} did not end within {} s\n{}\n{}",
                DEADLINE.as_secs(),
                text(&mut stdout)?.trim(),
                text(&mut stderr)?.trim()
            );
        }
        std::thread::sleep(POLL_INTERVAL);
    };
    Ok(Finished { status, stdout: text(&mut stdout)?, stderr: text(&mut stderr)? })
}

fn text(file: &mut File) -> Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_input_and_takes_output() {
        assert_eq!(run(&mut Command::new("cat"), "a\nb\n").unwrap(), "a\nb\n");
    }

    #[test]
    fn a_failure_tells_what_was_written() {
        let error = run(Command::new("sh").args(["-c", "echo no >&2; exit 3"]), "").unwrap_err();
        assert!(error.to_string().contains("no"), "{error}");
    }
}
