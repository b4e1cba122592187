//! A broker's rack on Kubernetes: the zone of its node, from the labels of its pod.
//!
//! A pod gets that label once it has a node, which may be after its first container has started. So the labels come as a file
//! (a downward API volume), which changes with them, and not as a variable, which does not.

use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

/// <https://kubernetes.io/docs/reference/labels-annotations-taints/#topologykubernetesiozone>
const ZONE: &str = "topology.kubernetes.io/zone";
/// Longest wait for the label. A broker is of more use without a rack than not at all.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// The rack in a file of labels, as the downward API writes `metadata.labels`; `None` where nodes have no zones.
///
/// # Errors
/// When the file cannot be read.
pub(crate) async fn of_labels(file: &Path) -> anyhow::Result<Option<String>> {
    within(PATIENCE, file).await
}

async fn within(patience: Duration, file: &Path) -> anyhow::Result<Option<String>> {
    let labelled = async {
        loop {
            if let Some(zone) = read(file)? {
                return Ok::<_, io::Error>(zone);
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let zone = match tokio::time::timeout(patience, labelled).await {
        Ok(zone) => zone.with_context(|| format!("the labels in {}", file.display()))?,
        Err(_) => {
            tracing::warn!(
                file = %file.display(),
                "the pod has no label {ZONE} after {} s: the broker has no rack until it restarts; is the operator away?",
                patience.as_secs()
            );
            String::new()
        }
    };
    Ok(Some(zone).filter(|zone| !zone.is_empty()))
}

/// The zone as far as the file has one; empty is known to be none.
fn read(file: &Path) -> io::Result<Option<String>> {
    let labels = std::fs::read_to_string(file)?;
    let zone = labels.lines().find_map(|line| line.strip_prefix(ZONE)?.strip_prefix('='));
    // A label's value holds nothing that the quotes would have to escape.
    Ok(zone.map(|quoted| quoted.trim_matches('"').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn rack(labels: &str) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), labels).unwrap();
        within(2 * POLL, file.path()).await.unwrap()
    }

    #[tokio::test]
    async fn the_zone_is_the_rack_and_an_empty_one_is_none() {
        let others = "app=\"x\"\ntopology.kubernetes.io/zone-of-old=\"b\"\n";
        let zone = |zone: &str| format!("{others}topology.kubernetes.io/zone=\"{zone}\"");
        assert_eq!(rack(&zone("eu-1.a")).await.as_deref(), Some("eu-1.a"));
        assert_eq!(rack(&zone("")).await, None);
        assert_eq!(rack(others).await, None, "nobody has labelled the pod");
    }

    #[tokio::test]
    async fn a_label_that_comes_late_is_waited_for() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let later = async {
            tokio::time::sleep(POLL / 2).await;
            std::fs::write(file.path(), format!("{ZONE}=\"a\"\n")).unwrap();
        };
        let (rack, ()) = tokio::join!(of_labels(file.path()), later);
        assert_eq!(rack.unwrap().as_deref(), Some("a"));
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_named() {
        let error = of_labels(Path::new("no/labels")).await.unwrap_err();
        assert!(format!("{error:#}").contains("no/labels"), "{error:#}");
    }
}
