//! Backups of the file: one that is taken while the service runs, and one that is put in the place of the file. Either is
//! a single file without a write-ahead log, with the blobs in it, checked from end to end, and appears at once and whole or
//! not at all.

use super::backup_error::BackupError;
use super::damage::DamageMark;
use super::data_folder::{self, DATABASE_FILE};
use super::open_error::OpenError;
use super::{integrity, packed_blobs, schema};
use crate::domain::{Sha256, Timestamp};
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempPath;

/// What the names of unfinished copies begin with.
const COPY_PREFIX: &str = "pixcourier-copy-";
/// How long to wait for another process that recovers the file.
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// Copies the database of a data folder to a new file, as it is at one moment, and the blobs into that; a service may go on
/// using both. Returns the size of the copy in bytes. Blocks for as long as copying and checking take.
///
/// # Errors
/// The target exists or cannot be written, a blob cannot be read, or the database is missing or damaged.
pub fn backup(
    data_dir: &Path,
    blobs: impl Iterator<Item = std::io::Result<(Sha256, PathBuf)>>,
    target: &Path,
) -> Result<u64, BackupError> {
    let database = data_dir.join(DATABASE_FILE);
    if !database.exists() {
        return Err(BackupError::Missing(database));
    }
    if target.exists() {
        return Err(BackupError::Exists(target.to_owned()));
    }
    let damaged = |error| name_damaged(error, &database);
    integrity::refuse_foreign_log(&database).map_err(damaged)?;
    let folder = folder_of(target);
    let copy = new_copy(folder)?.into_temp_path();
    copy_pages(&database, &copy).map_err(|error| name_damaged(error.into(), &database))?;
    // After the database: what that names has been there before, and stays while it is needed.
    pack_blobs(&copy, data_dir, blobs).map_err(|error| match error {
        BackupError::Open(error) => name_damaged(error, &database),
        other => other,
    })?;
    check(&copy, &database)?;
    let size = put_in_place(copy, target)?;
    data_folder::sync(folder).map_err(at(folder))?;
    Ok(size)
}

/// Puts a backup in the place of the database of a data folder, which is moved aside. Returns what that is called now, if
/// there was one. The backup is copied and stays as it is. Blocks for as long as copying and checking take.
///
/// # Errors
/// A service has the data folder, or the backup is none, damaged, or of a newer version.
pub fn restore(data_dir: &Path, source: &Path) -> Result<Option<PathBuf>, BackupError> {
    if let Some(log) = data_folder::write_ahead_log(source) {
        return Err(BackupError::InUse(log));
    }
    let mut original = File::open(source).map_err(at(source))?;
    let _lock = data_folder::lock(data_dir)?;
    let mut copy = new_copy(data_dir)?;
    std::io::copy(&mut original, &mut copy).map_err(at(data_dir))?;
    let copy = copy.into_temp_path();
    check(&copy, source)?;

    let (database, mark) = (data_dir.join(DATABASE_FILE), DamageMark::of(data_dir));
    // Whoever finds it without a database knows that this was interrupted, and makes no new one.
    mark.set("a restore was interrupted").map_err(at(data_dir))?;
    let moved = move_aside(&database).map_err(at(&database))?;
    put_in_place(copy, &database)?;
    data_folder::sync(data_dir).map_err(at(data_dir))?;
    mark.clear().map_err(at(data_dir))?;
    Ok(moved)
}

fn new_copy(folder: &Path) -> Result<tempfile::NamedTempFile, BackupError> {
    tempfile::Builder::new().prefix(COPY_PREFIX).tempfile_in(folder).map_err(at(folder))
}

/// Copies every page in one read transaction, so that nobody's writes come in between.
fn copy_pages(database: &Path, copy: &Path) -> rusqlite::Result<()> {
    // With the right to write: whoever closes the file last takes its log away.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let from = Connection::open_with_flags(database, flags)?;
    from.busy_timeout(schema::BUSY_TIMEOUT)?;
    let mut to = Connection::open(copy)?;
    // It is waited for once, at the end.
    to.pragma_update(None, "synchronous", "OFF")?;
    Backup::new(&from, &mut to)?.run_to_completion(i32::MAX, BUSY_PAUSE, None)
}

/// Puts the blobs into the copy; those that are swept meanwhile are none.
fn pack_blobs(
    copy: &Path,
    data_dir: &Path,
    blobs: impl Iterator<Item = std::io::Result<(Sha256, PathBuf)>>,
) -> Result<(), BackupError> {
    let conn = Connection::open(copy)?;
    conn.pragma_update(None, "synchronous", "OFF")?;
    conn.pragma_update(None, "journal_mode", "DELETE")?;
    conn.execute_batch("BEGIN")?;
    for blob in blobs {
        let (sha256, path) = blob.map_err(at(data_dir))?;
        let file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            opened => opened.map_err(at(&path))?,
        };
        packed_blobs::pack(&conn, &sha256, file)?.map_err(at(&path))?;
    }
    Ok(conn.execute_batch("COMMIT")?)
}

/// Refuses a copy that is damaged or none of ours; errors name what it was made of.
fn check(copy: &Path, original: &Path) -> Result<(), BackupError> {
    let checked = || -> Result<bool, OpenError> {
        let conn = Connection::open(copy)?;
        let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('queue', 'records')";
        let ours = conn.query_row(tables, [], |row| Ok(row.get::<_, i64>(0)? == 2))?;
        schema::version(&conn)?;
        integrity::check_all(&conn)?;
        // A file without a log says so: then a log of another file that it is put beside is known for one.
        conn.pragma_update(None, "journal_mode", "DELETE")?;
        Ok(ours)
    };
    match checked() {
        Ok(true) => Ok(()),
        Ok(false) => Err(BackupError::Foreign(original.to_owned())),
        Err(error) => Err(name_damaged(error, original)),
    }
}

/// Waits until the copy is on the disk, and gives it its name. Returns its size in bytes.
fn put_in_place(copy: TempPath, target: &Path) -> Result<u64, BackupError> {
    let file = File::open(&copy).map_err(at(target))?;
    file.sync_all().map_err(at(target))?;
    let size = file.metadata().map_err(at(target))?.len();
    copy.persist_noclobber(target).map_err(|error| at(target)(error.error))?;
    Ok(size)
}

/// Renames the database and what belongs to it. The file goes first: what is left of it after a crash is then no
/// database, and not one without its log.
fn move_aside(database: &Path) -> std::io::Result<Option<PathBuf>> {
    let time: String = Timestamp::now().to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    let aside = data_folder::beside(database, &format!(".replaced-{time}"));
    for suffix in ["", "-wal", "-shm"] {
        let renamed = std::fs::rename(data_folder::beside(database, suffix), data_folder::beside(&aside, suffix));
        renamed.or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    }
    Ok(aside.exists().then_some(aside))
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn at(file: &Path) -> impl Fn(std::io::Error) -> BackupError {
    let file = file.to_owned();
    move |source| BackupError::File { file: file.clone(), source }
}

fn name_damaged(error: OpenError, file: &Path) -> BackupError {
    match error {
        OpenError::Damaged(found) => BackupError::Damaged { file: file.to_owned(), found },
        other => BackupError::Open(other),
    }
}
