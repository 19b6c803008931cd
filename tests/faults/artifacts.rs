//! What a run leaves behind: everything that a process printed, every error body and metrics page that was seen. Kept
//! in one folder until the next run, so that [`crate::secrets`] can search it and a failure can be understood.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
});

/// Where the artifacts of this run are.
pub fn folder() -> &'static Path {
    &FOLDER
}

/// A file of its own for the output of a process.
pub fn fresh(name: &str) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    folder().join(format!("{:03}-{name}.log", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Opens one to write at its end.
pub fn append(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

/// Notes an answer that somebody got.
pub fn note(kind: &str, text: &str) {
    // One write, so that notes of several clients do not mix.
    append(&folder().join(format!("{kind}.txt"))).write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// The last lines of a file, for a failure.
pub fn tail(path: &Path) -> String {
    const LINES: usize = 40;
    let text = String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
