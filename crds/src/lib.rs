//! The `crds` crate.
