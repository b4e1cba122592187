//! Crashes of the log from seeds.

mod crash;
mod faults;
mod workload;
