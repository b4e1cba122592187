//! Fail points: where the operator ends itself, once at each, so that a test sees that it goes on from there.
//!
//! They do nothing unless [`VARIABLE`] names a folder. It must outlive the process and not the test, as an `emptyDir`
//! of the operator's pod does: a file in it, named after a point, says that the operator has died there already.
//! So one scale-down with the variable set kills the operator at every step of it, and still comes to its end.
//! What it died at is also its termination message, where a test reads it.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Environment variable with the folder. Without it there are no fail points.
pub(crate) const VARIABLE: &str = "VLTAVA_FAIL_POINTS";
/// How the process ends at a fail point, so that it is not taken for another failure.
const EXIT_CODE: i32 = 86;
/// Where a container tells why it ended
/// (<https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/>).
const TERMINATION_MESSAGE: &str = "/dev/termination-log";

/// When in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It is decided, and nothing has been done.
    Before,
    /// One half of a step that has two is done.
    Within,
    /// It is done, and that is not written down.
    After,
}

impl Moment {
    fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Within => "within",
            Self::After => "after",
        }
    }
}

/// The fail points of this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FailPoints {
    folder: Option<PathBuf>,
}

impl FailPoints {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// Ends the process if fail points are on and it has not ended here before. `step` is a word such as `retire`.
    pub(crate) fn reach(&self, step: &str, moment: Moment) {
        let Some(folder) = &self.folder else { return };
        let point = format!("{step}-{}", moment.as_str());
        if !is_due(folder, &point) {
            return;
        }
        tracing::warn!(point, "the operator ends itself at a fail point");
        if let Err(error) = std::fs::write(TERMINATION_MESSAGE, passed(folder).join("\n")) {
            tracing::debug!(%error, "failed to write the termination message");
        }
        std::process::exit(EXIT_CODE);
    }
}

/// Whether nobody has been at this point yet; from now on somebody has. What cannot be remembered is not due: it
/// would be due for ever.
fn is_due(folder: &Path, point: &str) -> bool {
    match File::options().write(true).create_new(true).open(folder.join(point)) {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
        Err(error) => {
            tracing::warn!(point, folder = %folder.display(), %error, "failed to remember a fail point");
            false
        }
    }
}

/// Names of the points at which the process has died, this one included, sorted.
fn passed(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_point_is_due_once_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_due(folder.path(), "retire-within"));
        assert!(!is_due(folder.path(), "retire-within"));
        assert!(is_due(folder.path(), "intend-before"));
        assert_eq!(passed(folder.path()), ["intend-before", "retire-within"]);
    }

    #[test]
    fn what_cannot_be_remembered_is_never_due() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_due(&folder.path().join("missing"), "retire-within"));
    }

    #[test]
    fn without_a_folder_nothing_ends() {
        FailPoints::new(None).reach("retire", Moment::Before);
    }
}
