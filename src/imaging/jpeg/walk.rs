//! From segment to segment.

use super::frame::Frame;
use super::huffman::HuffmanTables;
use super::scan::Scan;
use super::segment::{BAD_SEGMENT, next_marker};
use crate::imaging::geometry::GeometryCheck;
use crate::imaging::image_file::ImageFile;
use crate::imaging::rejection::ImageRejection;

/// A picture has about ten scans; hundreds of nearly empty ones would cost far more than its pixels.
const MAX_SCANS: u32 = 100;

/// How much there may be in place of the end mark.
const MAX_BYTES_WITHOUT_END_MARK: u64 = 16;

/// What the segments have said so far.
#[derive(Default)]
struct Segments {
    tables: HuffmanTables,
    /// Which quantization tables are there.
    quantizers: [bool; 4],
    restart_interval: u32,
    frame: Option<Frame>,
    scans: u32,
    /// Where in the file the last scan ended, or a few bytes behind that.
    scan_end: u64,
}

/// Reads a JPEG to its end mark, or to its end if that is behind the last block of the picture: viewers do not miss the mark.
/// Whatever follows does not matter.
pub fn read(file: &mut ImageFile, check: &GeometryCheck, progressive: &mut bool) -> Result<(u32, u32), ImageRejection> {
    file.skip(2)?;
    let mut segments = Segments::default();
    let walked = segments.walk(file, check);
    let is_picture = match &segments.frame {
        Some(frame) if walked.is_ok() => frame.components.iter().all(|component| component.seen),
        // In what was filled up with zeros one can see blocks as well.
        Some(_) if file.length() - segments.scan_end > MAX_BYTES_WITHOUT_END_MARK => false,
        Some(frame) => frame.components.iter().all(|component| component.is_complete(frame.progressive)),
        None => false,
    };
    match (walked, segments.frame) {
        (Ok(()) | Err(ImageRejection::Truncated), Some(frame)) if is_picture => {
            *progressive = frame.progressive;
            Ok((frame.width, frame.height))
        }
        (Ok(()), None) => Err(ImageRejection::Damaged("it has no picture")),
        (Ok(()), Some(_)) => Err(ImageRejection::Truncated),
        (Err(rejection), _) => Err(rejection),
    }
}

impl Segments {
    /// Goes from segment to segment up to the end mark.
    fn walk(&mut self, file: &mut ImageFile, check: &GeometryCheck) -> Result<(), ImageRejection> {
        let mut pending = None;
        loop {
            let marker = match pending.take() {
                Some(marker) => marker,
                None => next_marker(file)?,
            };
            match marker {
                0x01 | 0xD0..=0xD8 => {}
                0xD9 => return Ok(()),
                _ => {
                    let length = u64::from(u16::from_be_bytes(file.read_array()?)).checked_sub(2).ok_or(BAD_SEGMENT)?;
                    pending = self.take(file, check, marker, length)?;
                }
            }
        }
    }

    /// Reads a segment, and the scan behind it if it is the header of one. Tells the marker behind the scan if it came
    /// across it.
    fn take(
        &mut self,
        file: &mut ImageFile,
        check: &GeometryCheck,
        marker: u8,
        length: u64,
    ) -> Result<Option<u8>, ImageRejection> {
        match marker {
            0xC0..=0xC2 if self.frame.is_none() => {
                let mut frame = Frame::read(file, marker == 0xC2, length)?;
                check(frame.width, frame.height)?;
                if frame.memory() > file.memory_limit() {
                    return Err(ImageRejection::NeedsMemory);
                }
                frame.allocate();
                self.frame = Some(frame);
            }
            0xC0..=0xC2 => return Err(ImageRejection::Damaged("it has two headers")),
            0xC3 | 0xC5..=0xC7 | 0xCB | 0xCD..=0xCF | 0xDE => {
                return Err(ImageRejection::Unsupported("a lossless or hierarchical JPEG"));
            }
            0xC9 | 0xCA | 0xCC => return Err(ImageRejection::Unsupported("an arithmetic JPEG")),
            0xC4 => self.tables.read(file, length)?,
            0xDB => self.read_quantizers(file, length)?,
            0xDD if length == 2 => self.restart_interval = u16::from_be_bytes(file.read_array()?).into(),
            0xDA => return self.read_scan(file, length),
            _ => file.skip(length)?,
        }
        Ok(None)
    }

    fn read_quantizers(&mut self, file: &mut ImageFile, length: u64) -> Result<(), ImageRejection> {
        let mut left = length;
        while left > 0 {
            let head = file.read_byte()?;
            let size = if head >> 4 == 0 { 64 } else { 128 };
            left = left.checked_sub(1 + size).ok_or(BAD_SEGMENT)?;
            *self.quantizers.get_mut(usize::from(head & 15)).ok_or(BAD_SEGMENT)? = true;
            file.skip(size)?;
        }
        Ok(())
    }

    fn read_scan(&mut self, file: &mut ImageFile, length: u64) -> Result<Option<u8>, ImageRejection> {
        let frame = self.frame.as_mut().ok_or(ImageRejection::Damaged("its picture comes before its header"))?;
        let scan = Scan::read(file, frame, length)?;
        self.scans += 1;
        if self.scans > MAX_SCANS {
            return Err(ImageRejection::Unsupported("a JPEG of more than a hundred scans"));
        }
        let quantized = |index: usize| self.quantizers[usize::from(frame.components[index].quantizer)];
        if !scan.components().all(quantized) {
            return Err(ImageRejection::Damaged("a table is missing"));
        }
        let marker = scan.run(file, frame, &self.tables, self.restart_interval);
        self.scan_end = file.position();
        marker
    }
}
