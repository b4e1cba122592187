//! Stream processing.

pub mod cel;
pub mod record;
mod serdes;
mod types;
mod value;

pub use serdes::{Serde, SerdeError};
pub use types::Type;
pub use value::{Map, Value};
