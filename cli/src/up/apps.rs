//! The StreamsApps of some files, for `vltava app` and `vltava streams`, which need nothing else of them.

use std::path::PathBuf;

use super::desired::Desired;
use super::files::Files;
use super::load::load;
use super::object::Kind;
pub(crate) use super::reconcile::streams_app::DesiredApp;

/// What the files hold.
#[derive(Debug)]
pub(crate) struct Apps {
    /// Apps that compile, by name.
    pub(crate) apps: Vec<DesiredApp>,
    /// `file:line: sentence` for each app, and each unreadable document, that does not.
    pub(crate) refusals: Vec<String>,
}

/// Reads and compiles every app in `paths` (files or folders).
pub(crate) fn read(paths: Vec<PathBuf>) -> Apps {
    let mut files = Files::new(paths);
    files.refresh();
    let desired = Desired::resolve(load(files.contents()));
    let refused = desired.refused.iter().filter(|(key, _)| key.kind == Kind::StreamsApp);
    let refusals = refused.map(|(_, refusal)| refusal.to_string());
    let anonymous = desired.anonymous.iter().map(ToString::to_string);
    Apps {
        refusals: refusals.chain(anonymous).collect(),
        apps: desired.apps.into_values().collect(),
    }
}
