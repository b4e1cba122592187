//! Promise: the example that runs on a laptop runs on Kubernetes unchanged, and applying it twice is
//! applying it once.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::kubectl::{Namespace, Pod, repository};
use e2e::{text, wait};

use crate::{COUNTS, LINES, operator};

const BOOK_BYTES: usize = 1 << 20;
const COUNT_DEADLINE: Duration = Duration::from_secs(180);
const COMPONENTS: [&str; 3] = ["broker", "connect", "streams"];

#[test]
fn the_word_count_example_counts_a_book_and_a_second_apply_restarts_nothing() -> Result<()> {
    operator::installed()?;
    Namespace::run("pipeline", |namespace| {
        let example = repository("examples/wordcount");
        namespace.apply_folder(&example)?;
        namespace.wait_until_ready()?;
        runs_our_image(namespace)?;

        let book = text::book(BOOK_BYTES, 1);
        let expected = text::counts_by_unix_tools(&book)?;
        namespace.exec("connect", &["file", "append", LINES], &book)?;
        wait::until("the counts", COUNT_DEADLINE, || {
            let difference = text::difference(&expected, &namespace.counts(COUNTS)?);
            ensure!(difference.is_none(), "{}", difference.unwrap_or_default());
            Ok(())
        })?;

        let before = state(namespace)?;
        let output = namespace.apply_folder(&example)?;
        for line in output.lines() {
            ensure!(line.ends_with(" unchanged"), "the second apply changed something: {line}");
        }
        // What the operator would do, it would do at once; this gives it time to do it wrong.
        std::thread::sleep(Duration::from_secs(5));
        let after = state(namespace)?;
        ensure!(before == after, "before: {before:?}\nafter: {after:?}");
        Ok(())
    })
}

fn runs_our_image(namespace: &Namespace) -> Result<()> {
    let image = std::env::var("VLTAVA_IMAGE")?;
    for component in COMPONENTS {
        let name = namespace.pod(component)?.name;
        let pod = namespace.object(&format!("pod/{name}"))?;
        ensure!(pod["status"]["phase"] == "Running", "{name} is {}", pod["status"]["phase"]);
        let container = &pod["spec"]["containers"][0];
        ensure!(container["image"] == image.as_str(), "{name} runs {}", container["image"]);
        let security = &container["securityContext"];
        ensure!(security["readOnlyRootFilesystem"] == true, "{name} can write to its image");
        ensure!(security["allowPrivilegeEscalation"] == false, "{name} can become root");
    }
    Ok(())
}

/// Everything that a restart or a change would change.
fn state(namespace: &Namespace) -> Result<(Vec<Pod>, BTreeMap<String, String>)> {
    let mut pods = Vec::new();
    for component in COMPONENTS {
        pods.extend(namespace.pods(component)?);
    }
    let generations = namespace
        .objects()?
        .iter()
        .map(|object| {
            let metadata = &object["metadata"];
            (format!("{}/{}", object["kind"], metadata["name"]), metadata["generation"].to_string())
        })
        .collect();
    Ok((pods, generations))
}
