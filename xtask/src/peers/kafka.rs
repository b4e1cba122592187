//! Apache Kafka's jars, its tools and its broker, from Maven Central.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::process::{command, run};
use crate::workspace;

/// The version whose messages our codec is generated from.
pub(crate) const VERSION: &str = "4.3.1";

/// Everything that Kafka's `bin/` scripts put on their class path; Maven finds what these need.
fn project() -> String {
    format!(
        r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>dev.vltava</groupId>
  <artifactId>kafka-jars</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{VERSION}</version></dependency>
  </dependencies>
</project>
"#
    )
}

/// An installed Kafka.
#[derive(Debug)]
pub(crate) struct Kafka {
    jars: PathBuf,
}

/// Fetches the jars, once for each version.
pub(crate) fn install() -> Result<Kafka> {
    let root = workspace::cache_dir()?.join("peers").join(format!("kafka-{VERSION}"));
    let jars = root.join("jars");
    if !jars.is_dir() {
        let unfinished = root.join("unfinished");
        fs::create_dir_all(&unfinished)?;
        fs::write(root.join("pom.xml"), project())?;
        run(command("mvn")
            .args(["--batch-mode", "--quiet", "--file"])
            .arg(root.join("pom.xml"))
            .arg("org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies")
            .arg(format!("-DoutputDirectory={}", unfinished.display())))?;
        fs::rename(&unfinished, &jars).context("cannot move Kafka's jars into place")?;
    }
    Ok(Kafka { jars })
}

impl Kafka {
    /// The value of `java -cp`.
    pub(crate) fn classpath(&self) -> String {
        format!("{}/*", self.jars.display())
    }
}
