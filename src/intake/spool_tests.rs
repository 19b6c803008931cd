use super::*;

/// One pixel, and as many bytes behind it as it takes.
fn gif(size: usize) -> Vec<u8> {
    let mut bytes = b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;".to_vec();
    bytes.resize(size.max(bytes.len()), 7);
    bytes
}

/// What lies in the spool beside the lock.
fn files(spool: &Spool) -> usize {
    std::fs::read_dir(&spool.folder.path).unwrap().count() - 1
}

fn folders(root: &Path) -> usize {
    std::fs::read_dir(root).unwrap().count()
}

#[tokio::test]
async fn an_upload_is_hashed_as_it_is_written_and_removed_when_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path().join("spool")).unwrap();
    let bytes = gif(300_000);
    for step in [1000, 65_536, 300_000] {
        let mut writer = spool.begin();
        for piece in bytes.chunks(step) {
            writer.write(piece).unwrap();
        }
        let upload = writer.finish().await.unwrap();
        assert_eq!((upload.sha256(), upload.spooled().size), (Sha256::of(&bytes), 300_000));
        assert_eq!(std::fs::read(upload.path()).unwrap(), bytes);
        drop(upload);
        assert_eq!(files(&spool), 0);
    }
    drop(spool);
    assert_eq!(folders(&folder.path().join("spool")), 0);
}

#[tokio::test]
async fn what_is_no_image_is_rejected_at_its_first_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path().to_owned()).unwrap();
    let mut writer = spool.begin();
    writer.write(b"not an").unwrap();
    assert_eq!(writer.write(b" image").unwrap_err().code, ProblemCode::NotAnImage);
    assert_eq!(files(&spool), 0);
}

#[tokio::test]
async fn one_byte_over_the_limit_is_too_large_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path().to_owned()).unwrap();
    let limit = usize::try_from(PHOTO_LIMIT_BYTES).unwrap();
    let mut writer = spool.begin();
    writer.write(&gif(limit)).unwrap();
    assert_eq!(writer.write(b"x").unwrap_err().code, ProblemCode::PhotoTooLarge);
    drop(writer);
    assert_eq!(files(&spool), 0);
    let mut writer = spool.begin();
    writer.write(&gif(limit)).unwrap();
    assert!(writer.finish().await.is_ok());
}

#[tokio::test]
async fn nothing_at_all_and_a_cut_off_image_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path().to_owned()).unwrap();
    let (whole, nothing) = (gif(0), Vec::new());
    for (bytes, code) in [
        (&nothing[..], ProblemCode::NotAnImage),
        (b"\xff\xd8\xff", ProblemCode::ImageDamaged),
        (b"GIF89a", ProblemCode::ImageDamaged),
        (&whole[..whole.len() - 4], ProblemCode::ImageDamaged),
    ] {
        let mut writer = spool.begin();
        writer.write(bytes).unwrap();
        assert_eq!(writer.finish().await.unwrap_err().code, code, "{bytes:?}");
    }
    assert_eq!(files(&spool), 0);
}

#[tokio::test]
async fn a_webp_is_no_photo_until_it_is_shrunk() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path().to_owned()).unwrap();
    let mut writer = spool.begin_file("photo", FILE_LIMIT_BYTES);
    writer.write(include_bytes!("../../tests/fixtures/images/lossy.webp")).unwrap();
    let webp = writer.finish().await.unwrap();
    assert_eq!(spool.verify(&webp).await.unwrap_err().code, ProblemCode::NotAnImage);
    let photo = spool.shrink(webp.path()).await.unwrap();
    let bytes = std::fs::read(photo.path()).unwrap();
    assert_eq!((photo.sha256(), photo.spooled().size), (Sha256::of(&bytes), bytes.len() as u64));
    assert_eq!(photo.format(), Some(spool.verify(&photo).await.unwrap().format));
    drop((webp, photo));
    assert_eq!(files(&spool), 0);
}

/// As a killed process leaves it: the lock file is there and nobody holds it.
fn leave(root: &Path, name: &str, files: &[&str]) {
    std::fs::create_dir(root.join(name)).unwrap();
    for file in files {
        File::create(root.join(name).join(file)).unwrap();
    }
}

#[test]
fn leftovers_of_killed_processes_are_removed_at_once_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    leave(root.path(), "process-killed", &[LOCK_FILE, "upload-1", "upload-2"]);
    leave(root.path(), "process-barely-begun", &[]);
    leave(root.path(), "other", &["upload-3"]);
    let living = Spool::open(root.path().to_owned()).unwrap();
    assert_eq!(folders(root.path()), 2, "the living one and what is not ours");
    let mut writer = living.begin();
    writer.write(&gif(1000)).unwrap();

    let other = Spool::open(root.path().to_owned()).unwrap();
    leave(root.path(), "process-killed-later", &[LOCK_FILE, "upload-4"]);
    assert_eq!((other.sweep().unwrap(), other.sweep().unwrap()), (1, 0));
    assert_eq!((files(&living), folders(root.path())), (1, 3), "what a living process holds stays");
}

#[test]
fn processes_that_begin_and_sweep_at_once_do_not_take_each_others_folders() {
    let root = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let spool = Spool::open(root.path().to_owned()).unwrap();
                    let mut writer = spool.begin();
                    writer.write(&gif(1000)).unwrap();
                    assert_eq!(files(&spool), 1);
                }
            });
        }
    });
    assert_eq!(folders(root.path()), 0);
}
