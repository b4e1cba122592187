//! Waiting for something that comes by itself, and saying what was there instead if it does not.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Asks again and again until `probe` gives a value; after `deadline` fails with `what` and the last
/// thing that `probe` said instead.
pub fn until<T>(what: &str, deadline: Duration, mut probe: impl FnMut() -> Result<T>) -> Result<T> {
    let end = Instant::now() + deadline;
    loop {
        match probe() {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() > end => {
                bail!("waited {} s for {what}: {error:#}", deadline.as_secs());
            }
            Err(_) => std::thread::sleep(POLL_INTERVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::ensure;

    use super::*;

    #[test]
    fn asks_until_it_gets_an_answer() {
        let mut asked = 0;
        let value = until("three", Duration::from_secs(60), || {
            asked += 1;
            ensure!(asked == 3, "only {asked}");
            Ok(asked)
        });
        assert_eq!(value.unwrap(), 3);
    }

    #[test]
    fn says_what_was_there_instead() {
        let error = until("ever", Duration::ZERO, || -> Result<()> { bail!("nothing yet") });
        let error = error.unwrap_err().to_string();
        assert!(error.contains("ever") && error.contains("nothing yet"), "{error}");
    }
}
