mod yaml;
mod up;
mod format; mod output; mod properties; mod console;
fn main() {}
