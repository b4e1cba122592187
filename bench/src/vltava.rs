//! `vltava broker` as a subject. Like Kafka here, it answers before the disk has the bytes
//! (`log.flush.before.ack=false`); its own default, which waits for the disk, is the third subject
//! that a reader may want: `--row` and a config of one's own show it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::server::{Server, Subject, free_port};

#[derive(Debug)]
pub(crate) struct Vltava {
    binary: PathBuf,
}

impl Vltava {
    pub(crate) fn new(binary: &Path) -> Result<Self> {
        ensure!(
            binary.is_file(),
            "{} is missing: `cargo build --release -p vltava`",
            binary.display()
        );
        Ok(Self { binary: binary.to_path_buf() })
    }
}

impl Subject for Vltava {
    fn name(&self) -> &'static str {
        "Vltava"
    }

    fn start(&self, folder: &Path) -> Result<Server> {
        std::fs::create_dir_all(folder)?;
        let port = free_port()?;
        let config = folder.join("broker.properties");
        std::fs::write(&config, "log.flush.before.ack=false\n")?;
        let log = std::fs::File::create(folder.join("vltava.out"))?;
        let mut command = Command::new(&self.binary);
        command
            .args(["broker", "--node-id", "1", "--listen"])
            .arg(format!("127.0.0.1:{port}"))
            .arg("--data-dir")
            .arg(folder.join("data"))
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Server::spawn(command, port)
    }
}
