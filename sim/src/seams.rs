//! What the controller asks of its surroundings, as a simulation gives it.

use quorum::controller::{ConfigError, ConfigSchema, Entropy};
use quorum::image::ConfigMap;
use quorum::record::ConfigResource;

/// Every config may be anything.
#[derive(Debug)]
pub(crate) struct AnyConfig;

impl ConfigSchema for AnyConfig {
    fn check(&self, _: &ConfigResource, _: &str, _: &str) -> Result<(), ConfigError> {
        Ok(())
    }

    fn check_key(&self, _: &ConfigResource, _: &str) -> Result<(), ConfigError> {
        Ok(())
    }

    fn check_all(&self, _: &ConfigResource, _: &ConfigMap) -> Result<(), ConfigError> {
        Ok(())
    }

    fn list_default(&self, _: &ConfigResource, _: &str) -> Option<String> {
        None
    }
}

/// Random bytes of the simulation.
#[derive(Debug)]
pub(crate) struct Seeded(pub(crate) fastrand::Rng);

impl Entropy for Seeded {
    fn bytes(&mut self) -> [u8; 16] {
        self.0.u128(..).to_be_bytes()
    }
}
