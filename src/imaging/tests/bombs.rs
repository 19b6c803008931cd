//! Small files that claim or unpack to much: how long they take, and how much memory.

use super::{FileContent, jpeg, png, tiff};
use crate::imaging::{ImageInfo, ImageRejection, Oversight, PhotoLimits, fit, verify};
use std::time::Instant;

fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    [png::bombs(), gif_bombs(), jpeg::bombs(), tiff::bombs(), other_bombs()].concat()
}

fn gif_bombs() -> Vec<(&'static str, Vec<u8>)> {
    let head = |width: u16, height: u16| {
        let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
        [b"GIF89a", &size[..], b"\0\0\0"].concat()
    };
    let frame = |width: u16, height: u16| {
        let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
        [b",\0\0\0\0", &size[..], b"\0\x02\x02D\x01\0"].concat()
    };
    vec![
        ("GIF 65,535 x 65,535", [head(65_535, 65_535), frame(65_535, 65_535), b";".to_vec()].concat()),
        ("GIF 9 x 9 with a frame of 65,535 x 65,535", [head(9, 9), frame(65_535, 65_535), b";".to_vec()].concat()),
        ("GIF of 100,000 frames", [head(1, 1), frame(1, 1).repeat(100_000), b";".to_vec()].concat()),
    ]
}

fn other_bombs() -> Vec<(&'static str, Vec<u8>)> {
    let webp = |width: u32, height: u32| {
        let (w, h) = ((width - 1).to_le_bytes(), (height - 1).to_le_bytes());
        [b"RIFF\x2a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0", &w[..3], &h[..3], b"VP8L\x05\0\0\0\x2f\xff\xff\xff\x0f"].concat()
    };
    vec![
        (
            "BMP 2,147,483,647 x 2,147,483,647",
            [&b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\xff\xff\xff\x7f\xff\xff\xff\x7f\x01\0\x18\0"[..], &[0; 24]]
                .concat(),
        ),
        ("WebP whose VP8X says 16,777,216 x 16,777,216", webp(1 << 24, 1 << 24)),
        ("WebP whose VP8X and VP8L disagree", webp(100, 100)),
    ]
}

/// The most memory that the process ever had resident, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Alone in a process, since it measures its memory: another one of this program runs it.
#[test]
#[ignore = "run by bombs_are_told_quickly_and_cost_nothing"]
fn bombs_alone() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<_> = bombs()
        .into_iter()
        .flat_map(|(name, bytes)| {
            let half = bytes[..bytes.len() * 2 / 3].to_vec();
            [(name.to_owned(), bytes), (format!("{name}, truncated"), half)]
        })
        .enumerate()
        .map(|(number, (name, bytes))| {
            let path = folder.path().join(number.to_string());
            std::fs::write(&path, &bytes).unwrap();
            (name, FileContent::File(path), bytes.len())
        })
        .collect();
    println!();
    let (free, out) = (Oversight::none(), folder.path().join("out"));
    // What is resident for the first time, code too, is not the first bomb's.
    for (_, content, _) in &files {
        let _ = verify(content, &Oversight::none());
    }
    for (name, content, size) in files {
        // Resets the peak to what is resident now.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = peak();
        for (what, work) in [
            ("verify", &(|| verify(&content, &free)) as &dyn Fn() -> Result<ImageInfo, ImageRejection>),
            ("fit", &|| {
                fit(&content, &out, PhotoLimits::default(), &free)
                    .and_then(|_| verify(&FileContent::File(out.clone()), &free))
            }),
        ] {
            let begin = Instant::now();
            let verdict = work();
            let (time, memory) = (begin.elapsed(), peak() - before);
            let verdict = match verdict {
                Ok(_) => "taken".to_owned(),
                Err(rejection) => format!("{rejection:?}"),
            };
            println!(
                "BOMB {what:6} {:8.2} ms {memory:6} KiB  {name} ({size} bytes): {verdict}",
                time.as_secs_f64() * 1e3
            );
        }
    }
}

#[test]
fn bombs_are_told_quickly_and_cost_nothing() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        // Memory that was freed is given back, so that what is used again counts again.
        .envs([("MALLOC_MMAP_THRESHOLD_", "65536"), ("MALLOC_TRIM_THRESHOLD_", "65536")])
        .args(["--ignored", "--exact", "imaging::tests::bombs::bombs_alone", "--nocapture", "--test-threads", "1"])
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<_> = output.lines().filter(|line| line.starts_with("BOMB")).collect();
    assert!(lines.len() >= 4 * 15, "{output}");
    for line in lines {
        println!("{line}");
        let words: Vec<_> = line.split_whitespace().collect();
        let (time, memory): (f64, u64) = (words[2].parse().unwrap(), words[4].parse().unwrap());
        // A header that breaks the limits is the end of it. The others cost what as large an honest image does.
        let told = ["Dimensions {", "Ratio {", "WebP)"].iter().any(|verdict| line.contains(verdict));
        let (slowest, most) = if told && words[1] == "verify" { (20.0, 2) } else { (5000.0, 13) };
        assert!(time < slowest && memory < most << 10, "{line}");
    }
}
