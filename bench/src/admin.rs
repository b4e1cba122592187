//! The brokers' admin ports: a request of HTTP/1.1 a connection, which is all that it takes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for a controller that is active.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// Asks the active controller, whichever of these it is; gives its answer.
pub(crate) fn ask_active(addresses: &[String], method: &str, path: &str) -> Result<Value> {
    let began = Instant::now();
    loop {
        for address in addresses {
            // Who is not there, or not active, is no failure while another one may be.
            if let Ok((200, body)) = request(address, method, path) {
                return serde_json::from_str(&body).with_context(|| format!("{path}: {body}"));
            }
        }
        if began.elapsed() > ELECTION_TIMEOUT {
            bail!("no broker answers {method} {path}");
        }
        std::thread::sleep(POLL);
    }
}

/// A counter of a broker's metrics, such as `reassignment_bytes_in`.
pub(crate) fn counter(address: &str, name: &str) -> Result<u64> {
    let (status, text) = request(address, "GET", "/metrics")?;
    let line = format!("vltava_broker_{name}_total ");
    let value = text.lines().find_map(|text| text.strip_prefix(&line));
    let value = value.with_context(|| format!("no {name} at {address}: status {status}"))?;
    Ok(value.trim().parse()?)
}

/// Status and body.
fn request(address: &str, method: &str, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    parse(&text)
}

fn parse(text: &str) -> Result<(u16, String)> {
    let (head, body) = text.split_once("\r\n\r\n").context("half an answer")?;
    let status = head.split_whitespace().nth(1).context("no status")?;
    Ok((status.parse()?, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_status_and_body() {
        let text = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(parse(text).unwrap(), (503, "{}".to_owned()));
        assert!(parse("HTTP/1.1 200").is_err());
    }
}
