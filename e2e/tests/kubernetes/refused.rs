//! Promise: an object that cannot work is refused when it is applied, where the API server can know, and
//! else says so by `Stalled=True`; the other objects go on.

use anyhow::{Context, Result, ensure};
use e2e::kubectl::{Namespace, is_ready};

use crate::operator;

const CLUSTER: &str = "
apiVersion: vltava.dev/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  brokers: {replicas: 1, storage: {size: 1Gi}}
";

fn topic(spec: &str) -> String {
    format!(
        "apiVersion: vltava.dev/v1alpha1\nkind: Topic\nmetadata: {{name: lines}}\n\
         spec: {{clusterRef: {{name: demo}}, {spec}}}\n"
    )
}

fn app(name: &str, from: &str, expression: &str) -> String {
    format!(
        "---\napiVersion: vltava.dev/v1alpha1\nkind: StreamsApp\nmetadata: {{name: {name}}}\nspec:\n  \
         clusterRef: {{name: demo}}\n  \
         sources: [{{name: in, topic: {from}, key: string, value: string}}]\n  \
         pipelines:\n    - name: main\n      from: in\n      steps:\n        \
         - {{name: keep, filter: {{where: \"{expression}\"}}}}\n      \
         to: {{topic: lines, key: string, value: string}}\n"
    )
}

#[test]
fn an_unknown_field_and_a_wrong_type_are_refused_by_the_api_server() -> Result<()> {
    operator::installed()?;
    Namespace::run("refused-fields", |namespace| {
        let apply = ["apply", "-f", "-"];
        let message = namespace.refused(&apply, &topic("partitionz: 3"))?;
        ensure!(message.contains("partitionz"), "{message}");
        let message = namespace.refused(&apply, &topic("partitions: many"))?;
        ensure!(message.contains("partitions"), "{message}");
        let message = namespace.refused(&apply, &topic("partitions: 0"))?;
        ensure!(message.contains("partitions"), "{message}");
        Ok(())
    })
}

#[test]
fn what_only_the_operator_can_know_stalls_and_the_others_go_on() -> Result<()> {
    operator::installed()?;
    Namespace::run("refused-later", |namespace| {
        namespace.apply(CLUSTER)?;
        namespace.apply(&topic("partitions: 2"))?;
        namespace.apply(&app("good", "lines", "value != ''"))?;
        namespace.apply(&app("does-not-compile", "lines", "valeu != ''"))?;
        namespace.apply(&app("no-such-topic", "nothing", "value != ''"))?;

        let (reason, message) = namespace.wait_until_stalled("streamsapp/does-not-compile")?;
        ensure!(reason == "InvalidSpec", "{reason}: {message}");
        ensure!(message.contains("valeu") || message.contains("keep"), "{message}");
        let (reason, message) = namespace.wait_until_stalled("streamsapp/no-such-topic")?;
        ensure!(reason == "TopicNotFound" && message.contains("nothing"), "{reason}: {message}");

        e2e::wait::until("the good ones to be Ready", std::time::Duration::from_secs(120), || {
            for name in ["cluster/demo", "topic/lines", "streamsapp/good"] {
                is_ready(&namespace.object(name)?)?;
            }
            Ok(())
        })?;

        // Kafka cannot take partitions away: whoever notices first says so, and the topic stays as it was.
        match namespace.refused(&["apply", "-f", "-"], &topic("partitions: 1")) {
            Ok(message) => ensure!(message.contains("partitions"), "{message}"),
            Err(_) => {
                let (reason, message) = namespace.wait_until_stalled("topic/lines")?;
                ensure!(reason == "PartitionsReduced", "{reason}: {message}");
            }
        }
        is_ready(&namespace.object("streamsapp/good")?).context("it suffered from the others")
    })
}
