//! Apache Kafka's jars, its tools and its broker, from Maven Central.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process::{command, run};
use crate::workspace;

/// The version whose messages our codec is generated from.
pub(crate) const VERSION: &str = "4.3.1";

/// The bridge to the logger, without which Kafka says nothing of its errors: the release that Kafka brings.
const LOG4J_VERSION: &str = "2.25.4";

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
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>{LOG4J_VERSION}</version></dependency>
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

/// Fetches the jars, once for each version of Kafka and of the list.
pub(crate) fn install() -> Result<Kafka> {
    let root = workspace::cache_dir()?.join("peers").join(format!("kafka-{VERSION}"));
    let (jars, list) = (root.join("jars"), root.join("pom.xml"));
    let is_current = fs::read_to_string(&list).is_ok_and(|text| text == project());
    if !is_current || !jars.is_dir() {
        let unfinished = root.join("unfinished");
        if root.is_dir() {
            fs::remove_dir_all(&root)?;
        }
        fs::create_dir_all(&unfinished)?;
        fs::write(&list, project())?;
        run(command("mvn")
            .args(["--batch-mode", "--quiet", "--file"])
            .arg(&list)
            .arg("org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies")
            .arg(format!("-DoutputDirectory={}", unfinished.display())))?;
        fs::rename(&unfinished, &jars).context("cannot move Kafka's jars into place")?;
    }
    Ok(Kafka { jars })
}

impl Kafka {
    /// The folder of the jars.
    pub(crate) fn jars(&self) -> &Path {
        &self.jars
    }

    /// The value of `java -cp`.
    pub(crate) fn classpath(&self) -> String {
        format!("{}/*", self.jars.display())
    }
}
