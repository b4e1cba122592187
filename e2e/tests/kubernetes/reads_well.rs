//! Promise: `kubectl explain` and `kubectl get` tell a person what they need to know.

use anyhow::{Context, Result, ensure};
use e2e::kubectl::{Namespace, kubectl};

use crate::operator;

const KINDS: [&str; 6] = ["cluster", "topic", "user", "connect", "connector", "streamsapp"];

#[test]
fn explain_describes_every_field_of_every_spec() -> Result<()> {
    operator::installed()?;
    for kind in KINDS {
        let path = format!("{kind}.spec");
        let text = kubectl(["explain", "--api-version=vltava.dev/v1alpha1", &path], "")?;
        ensure!(!text.contains("<no description>"), "{text}");
        let fields = text.split_once("FIELDS:").with_context(|| text.clone())?.1;
        // A field's line has its name and type; its description follows, indented further.
        let lines: Vec<&str> = fields.lines().filter(|line| !line.trim().is_empty()).collect();
        for pair in lines.windows(2) {
            let is_field = |line: &str| !line.starts_with("   ") && line.contains("\t<");
            ensure!(!(is_field(pair[0]) && is_field(pair[1])), "{kind}: {} says nothing", pair[0]);
        }
    }
    Ok(())
}

#[test]
fn one_table_shows_all_objects_and_whether_they_are_ready() -> Result<()> {
    operator::installed()?;
    Namespace::run("reads-well", |namespace| {
        namespace.apply(
            "apiVersion: vltava.dev/v1alpha1\n\
             kind: Topic\n\
             metadata: {name: orphan}\n\
             spec: {clusterRef: {name: nowhere}}\n",
        )?;
        let (reason, message) = namespace.wait_until_stalled("topic/orphan").or_else(|_| {
            // Waiting for a cluster that may still come is as good an answer.
            let object = namespace.object("topic/orphan")?;
            let ready = e2e::kubectl::condition(&object, "Ready").context("no condition Ready")?;
            let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
            anyhow::Ok((text("reason"), text("message")))
        })?;
        ensure!(reason == "ClusterNotFound", "{reason}: {message}");
        ensure!(message.contains("nowhere"), "{message}");

        let table = kubectl(["get", "vltava", "--all-namespaces"], "")?;
        let mut lines = table.lines();
        let header = lines.next().unwrap_or_default();
        for column in ["NAMESPACE", "NAME", "READY", "AGE"] {
            ensure!(header.contains(column), "no column {column}:\n{table}");
        }
        let row = table.lines().find(|line| line.contains("orphan")).context("no row")?;
        ensure!(row.contains("False") && row.contains("ClusterNotFound"), "{table}");
        Ok(())
    })
}
