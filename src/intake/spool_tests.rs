use super::*;
use crate::intake::upload_memory::MAX_IN_MEMORY_BYTES;
use std::path::Path;

/// One pixel, and as many bytes behind it as it takes.
fn gif(size: usize) -> Vec<u8> {
    let mut bytes = b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;".to_vec();
    bytes.resize(size.max(bytes.len()), 7);
    bytes
}

/// What an upload holds, wherever that is.
fn bytes_of(upload: &Upload) -> Vec<u8> {
    match &upload.content {
        FileContent::Memory(bytes) => bytes.to_vec(),
        FileContent::File(path) => std::fs::read(path).unwrap(),
    }
}

/// What lies in the spool beside the lock.
fn files(spool: &Spool) -> usize {
    spool.folder.files()
}

fn folders(root: &Path) -> usize {
    std::fs::read_dir(root).unwrap().count()
}

#[tokio::test]
async fn an_upload_is_hashed_as_it_is_written_and_removed_when_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path().join("spool")).unwrap();
    for (size, in_files) in [(200_000, 0), (300_000, 1)] {
        let bytes = gif(size);
        for step in [1, 1000, 65_536, size] {
            let mut writer = spool.begin();
            for piece in bytes.chunks(step) {
                writer.write(piece).unwrap();
            }
            assert_eq!(files(&spool), in_files, "a small one needs no file");
            let upload = writer.finish().await.unwrap();
            assert_eq!((upload.sha256(), upload.spooled().size), (Sha256::of(&bytes), size as u64));
            assert_eq!((bytes_of(&upload), files(&spool)), (bytes.clone(), in_files));
            drop(upload);
            assert_eq!(files(&spool), 0);
        }
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
    let photo = spool.shrink(&webp).await.unwrap();
    let bytes = bytes_of(&photo);
    assert_eq!((photo.sha256(), photo.spooled().size), (Sha256::of(&bytes), bytes.len() as u64));
    assert_eq!(photo.format(), Some(spool.verify(&photo).await.unwrap().format));
    drop((webp, photo));
    assert_eq!(files(&spool), 0);
}

#[tokio::test]
async fn what_killed_processes_left_is_removed_when_the_spool_is_opened_and_later() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("process-killed")).unwrap();
    let spool = Spool::open(root.path().to_owned()).unwrap();
    assert_eq!(folders(root.path()), 1);
    std::fs::create_dir(root.path().join("process-killed-later")).unwrap();
    assert_eq!((spool.sweep().unwrap(), spool.sweep().unwrap()), (1, 0));
}

/// Writes a piece to each.
fn write_all(writers: &mut [UploadWriter], piece: &[u8]) {
    writers.iter_mut().for_each(|writer| writer.write(piece).unwrap());
}

#[tokio::test]
async fn uploads_share_the_memory_that_there_is_and_give_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path().to_owned()).unwrap();
    let all = spool.memory.free();
    let bytes = gif(MAX_IN_MEMORY_BYTES);
    let mut writers: Vec<UploadWriter> = (0..100).map(|_| spool.for_caller(Caller::named("one")).begin()).collect();
    // Half of each fits, and all of them do not.
    let (first, second) = bytes.split_at(MAX_IN_MEMORY_BYTES / 2);
    first.chunks(16_384).for_each(|piece| write_all(&mut writers, piece));
    assert_eq!((files(&spool), all - spool.memory.free()), (0, 100 * MAX_IN_MEMORY_BYTES / 2));
    second.chunks(16_384).for_each(|piece| write_all(&mut writers, piece));
    let in_memory = 100 - files(&spool);
    assert_eq!(in_memory, all / MAX_IN_MEMORY_BYTES, "as many as fit");
    assert_eq!(all - spool.memory.free(), in_memory * MAX_IN_MEMORY_BYTES);

    // A byte more than may be in memory goes to a file, and gives back what it had.
    writers[0].write(b"x").unwrap();
    assert_eq!(all - spool.memory.free(), (in_memory - 1) * MAX_IN_MEMORY_BYTES);
    // Some go away in the middle, the others are whole wherever they are.
    writers.drain(..50);
    let mut uploads = Vec::new();
    for writer in writers {
        let upload = writer.finish().await.unwrap();
        assert!(bytes_of(&upload) == bytes && upload.sha256() == Sha256::of(&bytes));
        uploads.push(upload);
    }
    let in_memory = uploads.len() - files(&spool);
    assert_eq!(all - spool.memory.free(), in_memory * MAX_IN_MEMORY_BYTES);
    drop(uploads);
    assert_eq!((files(&spool), spool.memory.free()), (0, all));

    let mut rejected = spool.begin_file("document", 20_000);
    rejected.write(&bytes[..20_000]).unwrap();
    assert_eq!(rejected.write(b"x").unwrap_err().code, ProblemCode::FileTooLarge);
    drop(rejected);
    assert_eq!(spool.memory.free(), all);
}
