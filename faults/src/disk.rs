//! The disk of one broker: a folder, or something that can be made to fill up, slow down or fail.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::tool;

/// What a scenario does to a disk decides what the disk is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A folder.
    Folder,
    /// A file system in memory of [`SMALL_MIB`], which can be filled.
    Small,
    /// ext4 on a loop device, whose image lies in memory that can be taken away: then writes fail, and so
    /// does syncing. It has an own number, by which a control group throttles it.
    Device,
}

const SMALL_MIB: u32 = 96;
const DEVICE_MIB: u32 = 256;
/// Room for the image beside what fills it.
const BACKING_MIB: u32 = DEVICE_MIB + 32;
/// Where control groups of the first version have their block device controller.
const THROTTLES: &str = "/sys/fs/cgroup/blkio";

/// A broker's disk; unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Disk {
    kind: Kind,
    folder: PathBuf,
    mounted: Vec<PathBuf>,
    throttle: Option<PathBuf>,
}

impl Disk {
    /// A fresh disk in `folder`, which is made.
    pub(crate) fn new(kind: Kind, folder: &Path) -> Result<Self> {
        let mut disk =
            Self { kind, folder: folder.to_owned(), mounted: Vec::new(), throttle: None };
        fs::create_dir_all(disk.root())?;
        match kind {
            Kind::Folder => {}
            Kind::Small => disk.mount_memory(disk.root(), SMALL_MIB)?,
            Kind::Device => {
                fs::create_dir_all(disk.backing())?;
                disk.mount_memory(disk.backing(), BACKING_MIB)?;
                let image = disk.backing().join("image");
                fs::File::create(&image)?.set_len(u64::from(DEVICE_MIB) << 20)?;
                tool::run("mkfs.ext4", [Path::new("-q"), &image])?;
                disk.mount_image()?;
                disk.mounted.push(disk.root());
            }
        }
        Ok(disk)
    }

    fn mount_memory(&mut self, at: PathBuf, mib: u32) -> Result<()> {
        let size = format!("size={mib}m");
        tool::run(
            "mount",
            ["-t", "tmpfs", "-o", &size, "tmpfs"].map(Path::new).iter().chain([&at.as_path()]),
        )
        .context("a disk of limited size needs root")?;
        self.mounted.push(at);
        Ok(())
    }

    fn mount_image(&self) -> Result<()> {
        let image = self.backing().join("image");
        tool::run("mount", [Path::new("-o"), Path::new("loop"), &image, &self.root()])
            .context("a disk that fails needs loop devices and ext4")
            .map(drop)
    }

    fn root(&self) -> PathBuf {
        self.folder.join("disk")
    }

    fn backing(&self) -> PathBuf {
        self.folder.join("backing")
    }

    /// The broker's data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    /// Uses up all space: what somebody else's file would do.
    pub(crate) fn fill(&self) -> Result<()> {
        let filler = fs::File::create(self.root().join("filler"))?;
        write_until_full(filler);
        Ok(())
    }

    /// Gives the space back.
    pub(crate) fn free(&self) -> Result<()> {
        Ok(fs::remove_file(self.root().join("filler"))?)
    }

    /// From now on the device refuses to write blocks that it does not have yet: writes land in the page cache, and
    /// syncing fails.
    pub(crate) fn fail(&self) -> Result<()> {
        let filler = fs::File::create(self.backing().join("filler"))?;
        write_until_full(filler);
        Ok(())
    }

    /// The device writes again, and is mounted anew: ext4 stays read-only after an error. What the device refused is
    /// gone. Nobody may use it while this happens.
    pub(crate) fn repair(&self) -> Result<()> {
        fs::remove_file(self.backing().join("filler"))?;
        tool::run("umount", [self.root()])?;
        self.mount_image()
    }

    /// The process gets so many operations a second from this disk.
    pub(crate) fn slow_down(&mut self, process: u32, operations: u32) -> Result<()> {
        let source = tool::run("findmnt", [Path::new("-no"), Path::new("SOURCE"), &self.root()])?;
        let name = source.trim().trim_start_matches("/dev/");
        let number = fs::read_to_string(format!("/sys/block/{name}/dev"))?;
        let group =
            Path::new(THROTTLES).join(format!("vltava-faults-{}-{process}", std::process::id()));
        fs::create_dir_all(&group)
            .context("a slow disk needs the blkio controller of control groups, version 1")?;
        self.throttle = Some(group.clone());
        for file in ["blkio.throttle.write_iops_device", "blkio.throttle.read_iops_device"] {
            fs::write(group.join(file), format!("{} {operations}", number.trim()))?;
        }
        Ok(fs::write(group.join("cgroup.procs"), process.to_string())?)
    }

    /// Full speed again.
    pub(crate) fn speed_up(&mut self) -> Result<()> {
        let Some(group) = self.throttle.take() else { return Ok(()) };
        let processes = fs::read_to_string(group.join("cgroup.procs"))?;
        for process in processes.lines() {
            fs::write(Path::new(THROTTLES).join("cgroup.procs"), process)?;
        }
        Ok(fs::remove_dir(group)?)
    }

    /// Loses everything.
    pub(crate) fn erase(&self) -> Result<()> {
        Ok(fs::remove_dir_all(self.data())?)
    }

    /// Keeps a copy of how it is now.
    pub(crate) fn copy(&self) -> Result<()> {
        copy(&self.data(), &self.folder.join("copy"))
    }

    /// Becomes what it was when it was copied.
    pub(crate) fn restore(&self) -> Result<()> {
        self.erase()?;
        copy(&self.folder.join("copy"), &self.data())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.speed_up().ok();
        for mounted in self.mounted.iter().rev() {
            tool::run("umount", [mounted]).ok();
        }
        if self.kind != Kind::Folder {
            // Mounts in memory hold nothing any more that somebody could look at.
            fs::remove_dir_all(&self.folder).ok();
        }
    }
}

/// Unmounts what a harness that was killed left mounted in its work folder.
pub(crate) fn sweep(work: &Path) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let under = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    let under: Vec<&str> = under.filter(|at| Path::new(at).starts_with(work)).collect();
    // The last one mounted may lie on the ones before.
    for at in under.iter().rev() {
        tool::run("umount", [at])?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    tool::run("cp", [Path::new("-a"), from, to]).map(drop)
}

/// Its error is what it is for.
fn write_until_full(mut file: fs::File) {
    use std::io::Write as _;
    for size in [1 << 20, 4096, 1] {
        while file.write_all(&vec![b'x'; size]).is_ok() {}
    }
}
