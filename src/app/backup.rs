//! Backups of the embedded engine's file.

use crate::adapters::{embedded, objects};
use crate::settings::{EngineSettings, Settings};
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

/// Copies the database and the images to a new file; the service may be running. Returns its size in bytes. Blocks.
///
/// # Errors
/// The engine is another, the target exists, or the database is missing or damaged.
pub fn backup(settings: &Settings, target: &Path) -> anyhow::Result<u64> {
    let data_dir = embedded_data_dir(settings)?;
    embedded::backup(data_dir, objects::blob_files(data_dir), target).context("back up the database")
}

/// Puts a backup in the place of the database; the service must not be running. Returns what the former one is called
/// now, if there was one. Blocks.
///
/// # Errors
/// The engine is another, a service is running, or the backup cannot be used.
pub fn restore(settings: &Settings, source: &Path) -> anyhow::Result<Option<PathBuf>> {
    embedded::restore(embedded_data_dir(settings)?, source).context("restore the database")
}

fn embedded_data_dir(settings: &Settings) -> anyhow::Result<&Path> {
    match settings.engine {
        EngineSettings::Embedded => Ok(&settings.data_dir),
        EngineSettings::Distributed(_) => {
            bail!("amqp_url is set: the distributed engine keeps its data in RabbitMQ, Redis and the image store")
        }
    }
}
