//! Programs that come from the operating system: installed on Debian as root, named elsewhere.

use std::path::Path;

use anyhow::{Result, bail};

use crate::process::{command, have, output, run};

/// A program that a stage needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    /// The program, as found in `PATH`.
    pub(crate) program: &'static str,
    /// Debian's package that has it; `None` when Debian's version is too old to be of use.
    pub(crate) package: Option<&'static str>,
    /// What it is needed for, for the message that names it.
    pub(crate) why: &'static str,
}

impl Need {
    pub(crate) const fn debian(
        program: &'static str,
        package: &'static str,
        why: &'static str,
    ) -> Self {
        Self { program, package: Some(package), why }
    }

    pub(crate) const fn elsewhere(program: &'static str, why: &'static str) -> Self {
        Self { program, package: None, why }
    }
}

/// Whether packages can be installed here: Debian (or a child of it), as root.
pub(crate) fn can_install() -> bool {
    Path::new("/etc/debian_version").exists()
        && output(command("id").arg("-u")).is_ok_and(|uid| uid == "0")
}

/// Sees to it that all programs are there: installs what can be, fails naming the rest.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let missing = |needs: &[Need]| -> Vec<Need> {
        needs.iter().filter(|need| !have(need.program)).copied().collect()
    };
    let installable: Vec<&str> = missing(needs).iter().filter_map(|need| need.package).collect();
    if !installable.is_empty() && can_install() {
        install(&installable)?;
    }
    let missing = missing(needs);
    if !missing.is_empty() {
        bail!("{}", describe(&missing));
    }
    Ok(())
}

/// `apt-get install`, after an update: package lists on a new machine may be empty or old.
/// Fails elsewhere than on Debian as root, naming the packages.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if !can_install() {
        bail!("missing on this machine: Debian's {}, or what is like it", packages.join(", "));
    }
    run(command("apt-get").args(["update", "-qq"]))?;
    run(command("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive"))
}

fn describe(missing: &[Need]) -> String {
    let mut text = String::from("missing on this machine:");
    for need in missing {
        text.push_str(&format!("\n  {} ({})", need.program, need.why));
        if let Some(package) = need.package {
            text.push_str(&format!(", Debian's package {package}"));
        }
    }
    text.push_str("\ninstall it, or leave the stage out by `--skip STAGE`");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_missing_why_and_where_it_is() {
        let need = Need::debian("no-such-program", "no-such-package", "to be missed");
        let text = describe(&[need]);
        assert!(text.contains("no-such-program (to be missed), Debian's package no-such-package"));
    }

    #[test]
    fn asks_for_nothing_when_everything_is_there() {
        assert!(ensure(&[Need::elsewhere("sh", "every script")]).is_ok());
    }
}
