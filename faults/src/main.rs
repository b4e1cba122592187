#![allow(dead_code)]
mod check;
mod history;
fn main() {}
