//! Prints `docs/reference/config.md`; `cargo xtask docs` keeps the page fresh.
#![allow(clippy::print_stdout)]

fn main() {
    print!("{}", broker::config::markdown());
}
