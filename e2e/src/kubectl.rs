//! A namespace of a real cluster, by `kubectl` and `helm` as `$PATH` and `$KUBECONFIG` find them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::text::{self, Counts};
use crate::{process, wait};

/// Pods are scheduled, volumes are made, brokers recover: long, because the machine may be busy.
const READY_DEADLINE: Duration = Duration::from_secs(240);

/// Runs kubectl and gives its output.
pub fn kubectl<S: AsRef<std::ffi::OsStr>>(
    arguments: impl IntoIterator<Item = S>,
    input: &str,
) -> Result<String> {
    process::run(Command::new("kubectl").args(arguments), input)
}

/// A folder or file of the repository, such as `examples/wordcount`.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A namespace of its own for a test. It is deleted at the end of the test; if the test fails, what there
/// is to know about it is printed first.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

/// What makes one pod another one than before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pod {
    pub name: String,
    pub uid: String,
    pub restarts: u64,
}

impl Namespace {
    /// Runs the test in a fresh namespace.
    pub fn run(name: &str, test: impl FnOnce(&Namespace) -> Result<()>) -> Result<()> {
        let namespace = Self { name: name.to_owned() };
        // Left behind by a test that was broken off.
        kubectl(["delete", "namespace", name, "--ignore-not-found"], "")?;
        kubectl(["create", "namespace", name], "")?;
        let result = test(&namespace);
        if result.is_err() {
            namespace.tell();
        }
        kubectl(["delete", "namespace", name, "--wait=false"], "")?;
        result
    }

    /// kubectl in this namespace.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> Result<String> {
        kubectl(["--namespace", &self.name].iter().chain(arguments), input)
    }

    /// kubectl in this namespace, which must fail: gives what it says.
    pub fn refused(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = Command::new("kubectl");
        command.args(["--namespace", &self.name]).args(arguments);
        let finished = process::try_run(&mut command, input)?;
        ensure!(!finished.status.success(), "it was accepted: {}", finished.stdout);
        Ok(finished.stderr)
    }

    /// `kubectl apply -f FOLDER`, every file of it.
    pub fn apply_folder(&self, folder: &Path) -> Result<String> {
        self.kubectl(&["apply", "-f", &folder.to_string_lossy()], "")
    }

    /// `kubectl apply` of a text.
    pub fn apply(&self, yaml: &str) -> Result<String> {
        self.kubectl(&["apply", "-f", "-"], yaml)
    }

    fn json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.kubectl(&[arguments, &["--output", "json"]].concat(), "")?;
        serde_json::from_str(&text).context("kubectl wrote no JSON")
    }

    /// All our objects of the namespace.
    pub fn objects(&self) -> Result<Vec<Value>> {
        let list = self.json(&["get", "vltava"])?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// One of our objects, such as `streamsapp/word-count`.
    pub fn object(&self, name: &str) -> Result<Value> {
        self.json(&["get", name])
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Fails, saying why, unless the object is what its newest spec asks for.
    pub fn is_ready(&self, name: &str) -> Result<()> {
        is_ready(&self.object(name)?)
    }

    /// Waits until every object says `Ready=True` of its newest generation.
    pub fn wait_until_ready(&self) -> Result<()> {
        wait::until("all objects to be Ready", READY_DEADLINE, || {
            let objects = self.objects()?;
            ensure!(!objects.is_empty(), "there are none");
            for object in &objects {
                is_ready(object)?;
            }
            Ok(())
        })
    }

    /// Waits until the object has the condition `Stalled=True`, and gives `(reason, message)`.
    pub fn wait_until_stalled(&self, name: &str) -> Result<(String, String)> {
        wait::until(&format!("{name} to be Stalled"), READY_DEADLINE, || {
            let object = self.object(name)?;
            let stalled = condition(&object, "Stalled").context("it has no condition Stalled")?;
            ensure!(stalled["status"] == "True", "it is not: {stalled}");
            let text = |field: &str| stalled[field].as_str().unwrap_or_default().to_owned();
            Ok((text("reason"), text("message")))
        })
    }

    /// The pods that do this: `broker`, `connect` or `streams`.
    pub fn pods(&self, component: &str) -> Result<Vec<Pod>> {
        let selector = format!("app.kubernetes.io/component={component}");
        let list = self.json(&["get", "pods", "--selector", &selector])?;
        let mut pods: Vec<Pod> = list["items"].as_array().into_iter().flatten().map(pod).collect();
        pods.sort();
        Ok(pods)
    }

    /// The one pod that does this.
    pub fn pod(&self, component: &str) -> Result<Pod> {
        let pods = self.pods(component)?;
        ensure!(pods.len() == 1, "{} pods do {component}", pods.len());
        pods.into_iter().next().context("no pod")
    }

    /// Runs a `vltava` command in the pod that does this, with input.
    pub fn exec(&self, component: &str, arguments: &[&str], input: &str) -> Result<String> {
        let pod = self.pod(component)?.name;
        let command = [&["exec", "-i", &pod, "--", "/vltava"], arguments].concat();
        self.kubectl(&command, input)
    }

    /// Deletes the pod that does this and waits until another one is ready in its place.
    pub fn replace_pod(&self, component: &str, how: &[&str]) -> Result<()> {
        let old = self.pod(component)?;
        self.kubectl(&[&["delete", "pod", &old.name], how].concat(), "")?;
        wait::until(&format!("another {component} pod"), READY_DEADLINE, || {
            let new = self.pod(component)?;
            ensure!(new.uid != old.uid, "it is still the old one");
            let pod = self.json(&["get", "pod", &new.name])?;
            let ready = condition(&pod, "Ready").context("it has no condition Ready")?;
            ensure!(ready["status"] == "True", "{}: {ready}", new.name);
            Ok(())
        })
    }

    /// Word counts in a file on the Connect worker's volume: the last line of a word is its count.
    pub fn counts(&self, file: &str) -> Result<Counts> {
        text::last_counts(&self.exec("connect", &["file", "cat", file], "")?)
    }

    /// Prints what somebody would look at first.
    fn tell(&self) {
        let show = |arguments: &[&str]| {
            let text = self.kubectl(arguments, "").unwrap_or_else(|error| format!("{error:#}"));
            eprintln!("--- kubectl {}\n{text}", arguments.join(" "));
        };
        show(&["get", "vltava", "--output", "wide"]);
        show(&["get", "pods,persistentvolumeclaims,services", "--output", "wide"]);
        show(&["get", "events", "--sort-by=.lastTimestamp"]);
        for component in ["broker", "connect", "streams"] {
            let selector = format!("app.kubernetes.io/component={component}");
            show(&["logs", "--selector", &selector, "--tail=60", "--prefix"]);
        }
        let operator = ["--namespace", "vltava-system", "logs", "deployment/vltava", "--tail=60"];
        eprintln!("--- operator\n{}", kubectl(operator, "").unwrap_or_default());
    }
}

/// A pod out of its JSON.
pub fn pod(pod: &Value) -> Pod {
    let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
    let restarts = pod["status"]["containerStatuses"][0]["restartCount"].as_u64().unwrap_or(0);
    Pod { name: text("name"), uid: text("uid"), restarts }
}

/// The condition of this type, if the object has it.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// Fails, saying why, unless the object says that it is what its newest spec asks for.
pub fn is_ready(object: &Value) -> Result<()> {
    let name = format!("{}/{}", object["kind"], object["metadata"]["name"]);
    let ready = condition(object, "Ready").with_context(|| format!("{name} has no Ready yet"))?;
    ensure!(
        ready["status"] == "True",
        "{name}: {} {}",
        ready["reason"].as_str().unwrap_or_default(),
        ready["message"].as_str().unwrap_or_default()
    );
    ensure!(
        object["status"]["observedGeneration"] == object["metadata"]["generation"],
        "{name} speaks of an older generation"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ready_means_the_newest_generation() {
        let object = |status: &str, observed: u64| {
            json!({
                "kind": "Topic", "metadata": {"name": "lines", "generation": 2},
                "status": {
                    "observedGeneration": observed,
                    "conditions": [{"type": "Ready", "status": status, "reason": "Applying"}],
                },
            })
        };
        assert!(is_ready(&object("True", 2)).is_ok());
        assert!(is_ready(&object("True", 1)).is_err());
        assert!(is_ready(&object("False", 2)).unwrap_err().to_string().contains("Applying"));
    }
}
