//! Hashing, and reading an image to its end, per megabyte of the file.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that cannot run should say so loudly")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use image::{ImageFormat, RgbImage};
use pixcourier::domain::{FileContent, Sha256};
use pixcourier::imaging::{Oversight, verify};

/// Something like a photo: smooth, with noise.
fn picture() -> RgbImage {
    let mut random = fastrand::Rng::with_seed(1);
    RgbImage::from_fn(1_600, 1_200, |x, y| {
        let noise = random.u8(..24);
        image::Rgb([(x / 8) as u8 + noise, (y / 6) as u8 + noise, ((x + y) / 14) as u8 + noise])
    })
}

fn images(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("images");
    let bytes = vec![7; 1_000_000];
    group.throughput(Throughput::BytesDecimal(bytes.len() as u64));
    group.bench_function("SHA-256", |bencher| bencher.iter(|| Sha256::of(&bytes)));

    let (folder, picture) = (tempfile::tempdir().unwrap(), picture());
    for (name, format) in [("PNG", ImageFormat::Png), ("JPEG", ImageFormat::Jpeg)] {
        let path = folder.path().join(name);
        picture.save_with_format(&path, format).unwrap();
        group.throughput(Throughput::BytesDecimal(path.metadata().unwrap().len()));
        let oversight = Oversight::none();
        let content = FileContent::Memory(std::fs::read(&path).unwrap().into());
        group
            .bench_function(format!("read a {name}"), |bencher| bencher.iter(|| verify(&content, &oversight).unwrap()));
    }
}

criterion_group!(benches, images);
criterion_main!(benches);
