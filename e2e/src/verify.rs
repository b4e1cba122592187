//! `vltava verify` in a pod: load on a cluster, and the verdict on what it kept.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::kubectl::Namespace;
use crate::report::Report;
use crate::wait;

const POD: &str = "checker";
const START_DEADLINE: Duration = Duration::from_secs(120);
const END_DEADLINE: Duration = Duration::from_secs(240);
/// Until kubectl reads a pod's output.
const CONNECTS: Duration = Duration::from_secs(2);
/// Longer than any test: it is ended by a signal.
const SECONDS: u64 = 3_600;

/// A checker at work.
#[derive(Debug)]
pub struct Checker<'a> {
    namespace: &'a Namespace,
}

impl<'a> Checker<'a> {
    /// Starts to write `rate` records a second to a topic of six partitions, from wherever there is room.
    pub fn start(namespace: &'a Namespace, cluster: &str, rate: u32) -> Result<Self> {
        Self::start_with(namespace, cluster, rate, "")
    }

    /// The same from a pod on this node.
    pub fn start_on(
        namespace: &'a Namespace,
        cluster: &str,
        rate: u32,
        node: &str,
    ) -> Result<Self> {
        Self::start_with(namespace, cluster, rate, &format!("\x20 nodeName: {node}\n"))
    }

    fn start_with(namespace: &'a Namespace, cluster: &str, rate: u32, place: &str) -> Result<Self> {
        let image = std::env::var("VLTAVA_IMAGE")
            .context("VLTAVA_IMAGE names no image: run `cargo xtask test`")?;
        let bootstrap = format!("{cluster}-kafka:9092");
        let pod = format!(
            "apiVersion: v1\n\
             kind: Pod\n\
             metadata: {{name: {POD}}}\n\
             spec:\n\
             {place}\
             \x20 restartPolicy: Never\n\
             \x20 terminationGracePeriodSeconds: 200\n\
             \x20 containers:\n\
             \x20 - name: checker\n\
             \x20   image: {image}\n\
             \x20   imagePullPolicy: IfNotPresent\n\
             \x20   args: [verify, checked, --seconds, '{SECONDS}', --rate, '{rate}', \
             --create-partitions, '6', --bootstrap, '{bootstrap}']\n\
             \x20   securityContext: {{runAsNonRoot: true, runAsUser: 65532}}\n"
        );
        namespace.apply(&pod)?;
        wait::until("the checker to run", START_DEADLINE, || {
            let phase = namespace
                .kubectl(&["get", "pod", POD, "--output", "jsonpath={.status.phase}"], "")?;
            anyhow::ensure!(phase == "Running", "it is {phase}");
            Ok(())
        })?;
        let first = format!("{cluster}-0-0");
        let describe = ["exec", &first, "--", "/vltava", "topic", "describe", "checked"];
        wait::until("the checker's topic", START_DEADLINE, || namespace.kubectl(&describe, ""))?;
        Ok(Self { namespace })
    }

    /// Ends the load and gives what the checker says of it.
    pub fn finish(self) -> Result<Report> {
        let output = tempfile::NamedTempFile::new()?;
        // Followed, because the pod is gone when it has ended; not earlier, because an API server may have been away.
        let mut logs = follow(self.namespace, output.reopen()?)?;
        std::thread::sleep(CONNECTS);
        self.namespace.kubectl(&["delete", "pod", POD, "--wait=false"], "")?;
        let ended = wait::until("the checker to end", END_DEADLINE, || {
            logs.try_wait()?.context("it still reads")
        });
        if ended.is_err() {
            logs.kill().ok();
            logs.wait().ok();
        }
        let (status, text) = (ended?, std::fs::read_to_string(output.path())?);
        Report::read(&text).with_context(|| format!("it ended with {status}"))
    }
}

fn follow(namespace: &Namespace, file: File) -> Result<Child> {
    Command::new("kubectl")
        .args(["--namespace", namespace.name(), "logs", "--follow", POD])
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .context("cannot start kubectl")
}
