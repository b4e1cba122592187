//! Other people's clients against the broker, each producing and consuming, in a group.

use anyhow::Result;

use crate::{dist, peers};

pub(crate) fn run() -> Result<()> {
    let vltava = dist::binary()?;
    let kafka = peers::kafka::install()?;
    let python = peers::python::install()?;
    super::e2e(
        "clients",
        &[
            ("VLTAVA", vltava.into()),
            ("KAFKA_CLASSPATH", kafka.classpath().into()),
            ("KAFKA_PYTHON", python.into()),
        ],
    )
}
