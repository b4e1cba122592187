//! The log on the real disk.

mod log;
mod log_dir;
mod support;
