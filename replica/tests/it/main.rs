//! Replicas of one partition against each other.

mod model;
mod node;
mod world;
