//! What is remembered of damage: in memory, so that a damaged database takes no more writes, and in a file beside it, so
//! that the next start does not believe it unchecked.

use super::data_folder;
use super::store_error::StoreError;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The mark in a data folder that says that its database must be checked in full before it is used.
pub struct DamageMark {
    path: PathBuf,
}

impl DamageMark {
    /// Its name in the data folder.
    const FILE: &str = "pixcourier.damaged";

    /// The mark of this data folder, whether it is there or not.
    pub fn of(data_dir: &Path) -> Self {
        Self { path: data_dir.join(Self::FILE) }
    }

    /// Whether it is there.
    pub fn is_set(&self) -> bool {
        self.path.exists()
    }

    /// Sets it durably, with the reason as its text.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set(&self, reason: &str) -> std::io::Result<()> {
        std::fs::write(&self.path, format!("{reason}\n"))?;
        std::fs::File::open(&self.path)?.sync_all()?;
        self.path.parent().map_or(Ok(()), data_folder::sync)
    }

    /// Removes it, if it is there.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn clear(&self) -> std::io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Whether damage was found since the start. Once it was, it stays: what is damaged in one place is believed in none.
pub struct Damage {
    found: OnceLock<StoreError>,
    mark: DamageMark,
}

impl Damage {
    /// None so far. The mark is set as soon as there is some.
    pub fn none(mark: DamageMark) -> Self {
        Self { found: OnceLock::new(), mark }
    }

    /// Looks whether an error tells of damage, and remembers it.
    pub fn notice(&self, error: &StoreError) {
        let StoreError::Damaged(reason) = error else { return };
        if self.found.set(error.clone()).is_ok() {
            tracing::error!(
                %reason,
                "the database is damaged: nothing is accepted or sent any more. Stop the service and put a backup in its place with `pixcourier restore`"
            );
            if let Err(error) = self.mark.set(reason) {
                tracing::error!(%error, "the damage could not be marked in the data folder");
            }
        }
    }

    /// Refuses if there was any.
    pub fn refuse_if_any(&self) -> Result<(), StoreError> {
        self.found.get().map_or(Ok(()), |error| Err(error.clone()))
    }
}
