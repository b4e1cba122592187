//! Who a data folder belongs to: Kafka's `meta.properties`.

use std::path::{Path, PathBuf};

use protocol::Uuid;
use storage::disk::{Disk, DiskError};
use thiserror::Error;

use crate::controller::Entropy;

/// The file's name in the data folder (Kafka's).
pub const FILE_NAME: &str = "meta.properties";
/// The folder of the metadata log in the data folder.
pub const METADATA_DIR: &str = "__cluster_metadata";

/// Who a data folder belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The cluster; given once, when the cluster begins.
    pub cluster_id: String,
    /// The node.
    pub node_id: i32,
    /// This folder.
    pub directory_id: Uuid,
}

/// The folder is not this node's.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The disk refused.
    #[error("data folder: {0}")]
    Disk(#[from] DiskError),
    /// The folder belongs to another cluster.
    #[error(
        "{} belongs to cluster {found}, but this node was told to join cluster {wanted}; \
         give it another data folder or the right cluster id",
        dir.display()
    )]
    OtherCluster {
        /// The folder.
        dir: PathBuf,
        /// Cluster id in the folder.
        found: String,
        /// Cluster id in the configuration.
        wanted: String,
    },
    /// The folder belongs to another node.
    #[error(
        "{} belongs to node {found}, but this is node {wanted}; give each node a data folder of its own",
        dir.display()
    )]
    OtherNode {
        /// The folder.
        dir: PathBuf,
        /// Node id in the folder.
        found: i32,
        /// Node id in the configuration.
        wanted: i32,
    },
    /// There is data, but nothing that says whose.
    #[error("{} has a metadata log but no {FILE_NAME}; restore that file or empty the folder", .0.display())]
    Missing(PathBuf),
    /// The file cannot be understood.
    #[error("{}: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl Identity {
    /// Reads the folder's identity and checks it; a new folder gets one: the cluster id that is wanted, or a new one.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn establish(
        disk: &dyn Disk,
        dir: &Path,
        node_id: i32,
        wanted_cluster: Option<&str>,
        entropy: &mut dyn Entropy,
    ) -> Result<Identity, IdentityError> {
        disk.create_dir(dir)?;
        let path = dir.join(FILE_NAME);
        if let Some(bytes) = disk.read_file(&path)? {
            let found = parse(&path, &String::from_utf8_lossy(&bytes))?;
            return found.check(dir, node_id, wanted_cluster);
        }
        if disk.exists(&dir.join(METADATA_DIR))? {
            return Err(IdentityError::Missing(dir.to_owned()));
        }
        let identity = Identity {
            cluster_id: wanted_cluster.map_or_else(|| entropy.uuid().to_string(), str::to_owned),
            node_id,
            directory_id: entropy.uuid(),
        };
        disk.write_file_atomically(&path, identity.to_text().as_bytes())?;
        Ok(identity)
    }

    fn check(self, dir: &Path, node_id: i32, cluster: Option<&str>) -> Result<Self, IdentityError> {
        let dir = dir.to_owned();
        match cluster {
            Some(wanted) if wanted != self.cluster_id => Err(IdentityError::OtherCluster {
                dir,
                found: self.cluster_id,
                wanted: wanted.to_owned(),
            }),
            _ if node_id != self.node_id => {
                Err(IdentityError::OtherNode { dir, found: self.node_id, wanted: node_id })
            }
            _ => Ok(self),
        }
    }

    fn to_text(&self) -> String {
        format!(
            "version=1\ncluster.id={}\nnode.id={}\ndirectory.id={}\n",
            self.cluster_id, self.node_id, self.directory_id
        )
    }
}

fn parse(path: &Path, text: &str) -> Result<Identity, IdentityError> {
    let malformed = |why: String| IdentityError::Malformed { path: path.to_owned(), why };
    let get = |key: &str| {
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once('='))
            .find(|(k, _)| k.trim() == key)
            .map(|(_, value)| value.trim())
            .ok_or_else(|| malformed(format!("`{key}` is missing")))
    };
    match get("version")? {
        "1" => {}
        other => return Err(malformed(format!("version {other} is not known (1 is)"))),
    }
    let node_id = get("node.id")?;
    let directory_id = get("directory.id")?;
    Ok(Identity {
        cluster_id: get("cluster.id")?.to_owned(),
        node_id: node_id.parse().map_err(|_| malformed(format!("node.id `{node_id}`")))?,
        directory_id: directory_id.parse().map_err(|_| {
            malformed(format!("directory.id `{directory_id}` is not 22 characters of base64"))
        })?,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use storage::disk::OsDisk;
    use tempfile::TempDir;

    use super::*;

    struct Count(u8);
    impl Entropy for Count {
        fn bytes(&mut self) -> [u8; 16] {
            self.0 += 1;
            [self.0; 16]
        }
    }

    fn establish(
        dir: &TempDir,
        node: i32,
        cluster: Option<&str>,
    ) -> Result<Identity, IdentityError> {
        Identity::establish(&OsDisk, dir.path(), node, cluster, &mut Count(0))
    }

    #[test]
    fn is_given_once_and_kept() {
        let dir = TempDir::new().unwrap();
        let first = establish(&dir, 3, None).unwrap();
        assert_eq!(first.cluster_id.len(), 22);
        assert_eq!(establish(&dir, 3, None).unwrap(), first);
        assert_eq!(establish(&dir, 3, Some(&first.cluster_id)).unwrap(), first);
    }

    #[test]
    fn another_cluster_or_node_is_refused() {
        let dir = TempDir::new().unwrap();
        establish(&dir, 3, Some("mine")).unwrap();
        let error = establish(&dir, 3, Some("other")).unwrap_err();
        assert!(matches!(error, IdentityError::OtherCluster { .. }), "{error}");
        let error = establish(&dir, 4, Some("mine")).unwrap_err();
        assert!(matches!(error, IdentityError::OtherNode { found: 3, wanted: 4, .. }), "{error}");
    }

    #[test]
    fn data_without_identity_and_bad_files_are_refused() {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join(METADATA_DIR)).unwrap();
        assert!(matches!(establish(&dir, 0, None), Err(IdentityError::Missing(_))));
        for text in [
            "",
            "version=2\ncluster.id=a\nnode.id=0\ndirectory.id=b",
            "version=1\ncluster.id=a\nnode.id=x\ndirectory.id=b",
        ] {
            fs::write(dir.path().join(FILE_NAME), text).unwrap();
            let error = establish(&dir, 0, None).unwrap_err();
            assert!(matches!(error, IdentityError::Malformed { .. }), "{text}: {error}");
        }
    }
}
