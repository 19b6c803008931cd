//! Where the servers are installed: on this machine, or in the root of another Debian release, which
//! `PIXCOURIER_TEST_BROKERS_ROOT` names (`tests/with-next-brokers`). There they run by `unshare`, which becomes the server,
//! so that a signal to our child reaches it.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The root under which the programs of the servers lie.
pub fn root() -> PathBuf {
    other_root().unwrap_or_else(|| PathBuf::from("/"))
}

/// A temporary folder that a server can reach.
pub fn folder(prefix: &str) -> TempDir {
    let parent = other_root().map_or_else(std::env::temp_dir, |root| root.join("tmp"));
    TempDir::with_prefix_in(prefix, parent).expect("a temporary folder")
}

/// A path below the root, as a server knows it.
pub fn inside(path: &Path) -> PathBuf {
    Path::new("/").join(path.strip_prefix(root()).expect("a path below the root"))
}

/// A command that runs a program of the root in a folder, both named as the server knows them.
pub fn program(program: impl AsRef<Path>, folder: &Path) -> Command {
    let Some(root) = other_root() else {
        let mut command = Command::new(program.as_ref());
        command.current_dir(folder);
        return command;
    };
    let mut command = Command::new("unshare");
    command.arg("--mount-proc").arg("--root").arg(root).arg("--wd").arg(folder).arg(program.as_ref());
    command
}

fn other_root() -> Option<PathBuf> {
    std::env::var_os("PIXCOURIER_TEST_BROKERS_ROOT").filter(|root| !root.is_empty()).map(PathBuf::from)
}
