//! Whether the disk has room again, after it had none. What was refused says that there is none, and only a trial says
//! that there is some: a small write that succeeds proves nothing for the next image.

use super::rejection::{ProblemCode, Rejection};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a trial writes. A photo of 1 MiB fits then: it takes room in the spool, in the log of the embedded database and
/// in its file.
const TRIAL_BYTES: usize = 4 << 20;
/// How often it is tried at the most.
const TRIAL_INTERVAL: Duration = Duration::from_secs(1);

/// The room in the folders that files are put into.
#[derive(Debug)]
pub struct Room {
    folders: Vec<PathBuf>,
    lack: Mutex<Lack>,
}

#[derive(Debug, Default)]
struct Lack {
    /// How often something was refused for want of room; 0 when there is room.
    refused: u64,
    tried_at: Option<Instant>,
}

impl Room {
    /// There is some, until something is refused.
    pub fn of(folders: Vec<PathBuf>) -> Self {
        Self { folders, lack: Mutex::default() }
    }

    /// Notices that something is refused for want of room.
    pub fn notice(&self, rejection: &Rejection) {
        if rejection.code == ProblemCode::NoRoom {
            self.lack().refused += 1;
        }
    }

    /// Whether there is room. Tries it, which blocks, if something was refused.
    pub fn is_there(&self) -> bool {
        let refused = {
            let mut lack = self.lack();
            if lack.refused == 0 {
                return true;
            }
            if lack.tried_at.is_some_and(|at| at.elapsed() < TRIAL_INTERVAL) {
                return false;
            }
            lack.tried_at = Some(Instant::now());
            lack.refused
        };
        if self.try_out().is_err() {
            return false;
        }
        let mut lack = self.lack();
        // What was refused meanwhile knows better.
        let regained = lack.refused == refused;
        if regained {
            *lack = Lack::default();
        }
        regained
    }

    /// Writes a file without a name into each folder, which is gone when it is closed.
    fn try_out(&self) -> std::io::Result<()> {
        self.folders.iter().try_for_each(|folder| {
            let mut file = tempfile::tempfile_in(folder)?;
            file.write_all(&vec![0xa5; TRIAL_BYTES])?;
            file.sync_all()
        })
    }

    fn lack(&self) -> MutexGuard<'_, Lack> {
        self.lack.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_for_want_of_room_is_believed_until_a_trial_succeeds() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let room = Room::of(vec![folder.path().to_owned(), missing.clone()]);
        room.notice(&Rejection::unknown_bot());
        assert!(room.is_there(), "nothing was refused for want of room, so nothing is tried");
        room.notice(&Rejection::no_room(&"full"));
        assert!(!room.is_there(), "the trial fails in one of the folders");
        std::fs::create_dir(&missing).unwrap();
        assert!(!room.is_there(), "it was tried just now");
        room.lack().tried_at = None;
        assert!(room.is_there());
        assert_eq!(std::fs::read_dir(&missing).unwrap().count(), 0, "a trial leaves nothing behind");
    }
}
