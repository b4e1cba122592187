//! What is known of a broker's volume.

/// The claim of a broker's volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Volume {
    /// UID of the claim: another one of the same name is another volume.
    pub(crate) uid: String,
    /// Whether the claim's phase is `Lost`: its PersistentVolume does not exist any more, and neither does what was on it
    /// (<https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/persistent-volume-claim-v1/>).
    pub(crate) lost: bool,
    /// Whether the claim is being deleted.
    pub(crate) deleted: bool,
    /// Whether a person asked that it be replaced.
    pub(crate) request: Option<Request>,
}

/// How a person asked that a volume be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// If everything on it is in sync elsewhere.
    Safely,
    /// Whatever is lost by it.
    Anyway,
}

impl Request {
    /// The value of the annotation; any other value is no request.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        match value {
            "true" => Some(Self::Safely),
            "force" => Some(Self::Anyway),
            _ => None,
        }
    }
}
