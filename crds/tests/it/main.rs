//! What the definitions promise: fresh files, structural schemas, documentation, and YAML that people write.

mod definitions;
mod yaml;
