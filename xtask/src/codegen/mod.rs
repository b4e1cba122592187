//! Kafka's message JSON (`protocol/schemas`) → Rust (`protocol/src/generated`).
//!
//! `schema` reads the JSON, `field` knows how one field looks in Rust, `structs` writes one struct,
//! `module` writes one message's file and the list of all of them.

mod field;
mod module;
mod schema;
mod structs;
mod versions;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Generates the messages. With `check` nothing is written, and a difference to the committed files is an error.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let protocol = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol");
    let wanted = generate(&protocol.join("schemas"))?;
    let target = protocol.join("src/generated");
    let stale = stale_files(&target, &wanted)?;
    if check {
        if let Some(first) = stale.first() {
            bail!(
                "{} of {} generated files are out of date, such as {}: run `cargo xtask codegen`",
                stale.len(),
                wanted.len(),
                first.display()
            );
        }
        return Ok(());
    }
    fs::create_dir_all(&target)?;
    for path in stale {
        match path.file_name().and_then(|name| wanted.get(name.to_str()?)) {
            Some(text) => fs::write(&path, text)?,
            None => fs::remove_file(&path)?,
        }
    }
    Ok(())
}

/// Files that differ from what is wanted, are missing, or are not wanted at all.
fn stale_files(target: &Path, wanted: &BTreeMap<String, String>) -> anyhow::Result<Vec<PathBuf>> {
    let mut stale = Vec::new();
    for (name, text) in wanted {
        let path = target.join(name);
        if fs::read_to_string(&path).ok().as_ref() != Some(text) {
            stale.push(path);
        }
    }
    if target.is_dir() {
        for entry in fs::read_dir(target)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|n| !wanted.contains_key(&*n.to_string_lossy())) {
                stale.push(path);
            }
        }
    }
    Ok(stale)
}

/// Every file to be generated: name → content.
fn generate(schemas: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut messages = Vec::new();
    for folder in [schemas, &schemas.join("own")] {
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "json") {
                let text = fs::read_to_string(&path)?;
                let message = schema::parse(&text).with_context(|| path.display().to_string())?;
                messages.extend(message);
            }
        }
    }
    messages.sort_by(|a, b| a.name.cmp(&b.name));
    let mut files = BTreeMap::new();
    for message in &messages {
        let text = module::message(message).with_context(|| message.name.clone())?;
        files.insert(format!("{}.rs", module::file_stem(&message.name)), text);
    }
    files.insert("mod.rs".to_owned(), module::contents(&messages));
    files.insert("api_key.rs".to_owned(), module::api_key(&messages)?);
    Ok(files)
}

#[cfg(test)]
mod tests {
    #[test]
    fn generated_messages_are_up_to_date() {
        super::run(true).unwrap();
    }
}
