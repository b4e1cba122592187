//! The operator, the chart and the examples on a real cluster: three nodes, made for the test and
//! removed after it, whatever comes out.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use anyhow::{Context, Result, bail};

use crate::cluster::{self, Cluster};
use crate::workspace;

const CLUSTER_NAME: &str = "vltava-test";

/// The making of Kubernetes' binaries and node image, in the background of the Rust stages.
#[derive(Debug, Default)]
pub(crate) struct Preparation(Option<(Child, PathBuf)>);

impl Preparation {
    pub(crate) fn start(&mut self) -> Result<()> {
        let path = workspace::cache_dir()?.join("cluster-prepare.log");
        let log =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        println!("preparing Kubernetes in the background, log in {}", path.display());
        let child = cluster::script("prepare.sh")
            .env("VLTAVA_NICE", "10")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A group of its own, so that its compilers can be ended with it.
            .process_group(0)
            .spawn()
            .context("cannot start prepare.sh")?;
        self.0 = Some((child, path));
        Ok(())
    }

    /// Waits until it is done; fails with the end of its log.
    fn wait(&mut self) -> Result<()> {
        let Some((mut child, path)) = self.0.take() else { return Ok(()) };
        let status = child.wait()?;
        let log = std::fs::read_to_string(&path).unwrap_or_default();
        if !status.success() {
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(30)..].join("\n");
            bail!("preparing Kubernetes failed ({status}):\n{tail}");
        }
        print!("{log}");
        Ok(())
    }

    /// Ends it and its children if it still runs: an earlier stage has failed.
    pub(crate) fn stop(&mut self) {
        if let Some((mut child, _)) = self.0.take() {
            // rustix is not needed for one signal: `kill` is there wherever bash is.
            let group = format!("-{}", child.id());
            let _ = crate::process::command("kill").args(["--", &group]).status();
            let _ = child.wait();
        }
    }
}

pub(crate) fn run(background: &mut Preparation, keep: bool) -> Result<()> {
    background.wait()?;
    let cluster = Cluster::named(CLUSTER_NAME)?;
    let result = test(&cluster);
    if keep {
        println!(
            "the cluster is left running; remove it by `cargo xtask cluster down --name {CLUSTER_NAME}`"
        );
        return result;
    }
    let removed = cluster.down();
    result.and(removed)
}

fn test(cluster: &Cluster) -> Result<()> {
    cluster.up()?;
    let image = cluster.load()?;
    crate::kubernetes::e2e(false, &[], &cluster.environment(&image)?)
}
