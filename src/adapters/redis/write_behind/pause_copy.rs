//! What was paused when this process read it last, in a file beside its uploads: a process that is started again while Redis is away
//! keeps to it.

use crate::domain::{Pause, PauseList, PauseTarget};
use std::io;
use std::path::{Path, PathBuf};

/// The name of the file.
const FILE: &str = "pauses.json";

#[derive(Clone)]
pub(super) struct PauseCopy(PathBuf);

impl PauseCopy {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self(folder.join(FILE))
    }

    /// What it says; nothing if it is not there, or cannot be read.
    pub(super) fn read(&self) -> PauseList {
        let mut list = PauseList::default();
        let found =
            std::fs::read(&self.0).and_then(|text| Ok(serde_json::from_slice::<Vec<(PauseTarget, Pause)>>(&text)?));
        match found {
            Ok(pauses) => pauses.into_iter().for_each(|(target, pause)| list.put(target, pause)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, "the copy of what is paused cannot be read"),
        }
        list
    }

    /// Writes it, whole or not at all.
    pub(super) fn write(&self, list: &PauseList) {
        let all: Vec<_> = list.iter().collect();
        let text = serde_json::to_vec(&all).unwrap_or_default();
        let draft = self.0.with_extension("new");
        if let Err(error) = std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, &self.0)) {
            tracing::warn!(%error, "the copy of what is paused cannot be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ChatId, Timestamp};

    #[test]
    fn what_was_written_is_read_and_what_is_damaged_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let copy = PauseCopy::in_folder(folder.path());
        assert_eq!(copy.read(), PauseList::default());
        let mut list = PauseList::default();
        let pause = Pause { since: Timestamp::from_unix_millis(5), client: None, reason: Some("x".to_owned()) };
        for chat in [None, Some(ChatId::Id(-7)), Some(ChatId::Username("@some_news".to_owned()))] {
            list.put(PauseTarget { bot: "one".parse().unwrap(), chat }, pause.clone());
        }
        copy.write(&list);
        assert_eq!(copy.read(), list);
        std::fs::write(folder.path().join(FILE), "[").unwrap();
        assert_eq!(copy.read(), PauseList::default());
    }
}
