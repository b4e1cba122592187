//! kafka-python: the whole protocol written once more, in Python. `$KAFKA_PYTHON` is an interpreter that
//! has it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result};
use e2e::process;

use crate::client::{Client, Record, from_lines, to_lines};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/kafka_python.py");

pub(crate) struct Python {
    interpreter: OsString,
}

impl Python {
    pub(crate) fn from_environment() -> Result<Self> {
        let interpreter = std::env::var_os("KAFKA_PYTHON")
            .context("KAFKA_PYTHON names no Python with kafka-python: run `cargo xtask test`")?;
        Ok(Self { interpreter })
    }

    fn run(&self, arguments: &[&str], input: &str) -> Result<String> {
        process::run(Command::new(&self.interpreter).arg(SCRIPT).args(arguments), input)
    }
}

impl Client for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn produce(
        &self,
        broker: SocketAddr,
        topic: &str,
        codec: &str,
        records: &[Record],
    ) -> Result<()> {
        self.run(&["produce", &broker.to_string(), topic, codec], &to_lines(records)).map(drop)
    }

    fn consume(
        &self,
        broker: SocketAddr,
        topic: &str,
        group: &str,
        count: usize,
    ) -> Result<Vec<Record>> {
        let count = count.to_string();
        self.run(&["consume", &broker.to_string(), topic, group, &count], "")
            .map(|text| from_lines(&text))
    }
}
