//! `cargo xtask cluster`: a three-node Kubernetes cluster on this machine, by kind. The work is done by
//! the scripts in `e2e/cluster`; this names the cluster, finds the binary and tells what to do next.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use anyhow::{Context, Result};

use crate::packages::{self, Need};
use crate::process::{self, command, output};
use crate::{dist, workspace};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Create the cluster (about half a minute; longer the first time)
    Up(Name),
    /// Build our image and load it into the cluster's nodes
    Load(Name),
    /// Remove the cluster
    Down(Name),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Name {
    /// The cluster's name
    #[arg(long, default_value = "vltava")]
    name: String,
}

pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Up(Name { name }) => {
            packages::ensure(&needs())?;
            let cluster = Cluster::named(name)?;
            cluster.up()?;
            println!("\nto use it:\n  export KUBECONFIG={}", cluster.kubeconfig().display());
            println!(
                "  export PATH={}:$PATH   # kubectl, helm, kind",
                cluster.programs().display()
            );
            Ok(())
        }
        Command::Load(Name { name }) => {
            let image = Cluster::named(name)?.load()?;
            let (repository, tag) = image.rsplit_once(':').context("the image has no tag")?;
            println!(
                "\nloaded; to install the operator with it:\n  helm upgrade --install vltava charts/vltava --namespace vltava-system --create-namespace --set image.repository={repository} --set image.tag={tag}"
            );
            Ok(())
        }
        Command::Down(Name { name }) => Cluster::named(name)?.down(),
    }
}

/// What a cluster needs: little where Docker runs, all of a node's making on Debian as root elsewhere.
pub(crate) fn needs() -> Vec<Need> {
    let mut needs = vec![Need::elsewhere(
        "go",
        "Kubernetes, kind and helm are built from Go modules; 1.24 or later",
    )];
    if !docker_runs() {
        needs.extend([
            Need::debian(
                "dockerd",
                "docker.io",
                "nodes are containers; a running Docker serves as well",
            ),
            Need::debian("debootstrap", "debootstrap", "the node image"),
            Need::debian("jq", "jq", "image archives"),
            Need::debian("iptables", "iptables", "Docker's bridge"),
            Need::debian("ip", "iproute2", "Docker's bridge"),
            Need::debian("ps", "procps", "the scripts that make the node image"),
        ]);
    }
    needs
}

fn docker_runs() -> bool {
    output(command("docker").arg("info")).is_ok()
}

/// One of the scripts in `e2e/cluster`.
pub(crate) fn script(name: &str) -> Process {
    command(workspace::root().join("e2e/cluster").join(name))
}

/// A cluster by name, running or not.
#[derive(Debug)]
pub(crate) struct Cluster {
    name: String,
    cache: PathBuf,
}

impl Cluster {
    pub(crate) fn named(name: &str) -> Result<Self> {
        Ok(Self { name: name.to_owned(), cache: workspace::cache_dir()?.join("cluster") })
    }

    fn script(&self, name: &str) -> Process {
        let mut script = script(name);
        script.env("CLUSTER_NAME", &self.name);
        script
    }

    pub(crate) fn up(&self) -> Result<()> {
        process::run(&mut self.script("up.sh"))
    }

    /// Builds the image and loads it into every node; gives the image's name.
    pub(crate) fn load(&self) -> Result<String> {
        let binary = dist::binary()?;
        // The script tells its progress on standard error; standard output is the image's name.
        let output = self
            .script("load.sh")
            .arg(&binary)
            .stderr(std::process::Stdio::inherit())
            .output()
            .context("cannot start load.sh")?;
        anyhow::ensure!(output.status.success(), "loading the image failed ({})", output.status);
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    pub(crate) fn down(&self) -> Result<()> {
        process::run(&mut self.script("down.sh"))
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.cache.join(format!("{}.kubeconfig", self.name))
    }

    /// The folder of kubectl, helm and kind in the versions that belong to the cluster.
    pub(crate) fn programs(&self) -> PathBuf {
        self.cache.join("bin")
    }

    /// What a test needs to talk to the cluster, and the image that it holds.
    pub(crate) fn environment(&self, image: &str) -> Result<Vec<(&'static str, OsString)>> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let programs = self.programs();
        let path = std::iter::once(programs.as_path().to_path_buf())
            .chain(std::env::split_paths(&path).filter(|dir| dir != Path::new("")));
        Ok(vec![
            ("KUBECONFIG", self.kubeconfig().into()),
            ("PATH", std::env::join_paths(path)?),
            ("VLTAVA_IMAGE", image.into()),
        ])
    }
}
