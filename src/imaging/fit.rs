//! Making a photo of an image that Telegram would not take as one: too large in pixels or bytes, or WebP.

use super::geometry::check_decodable;
use super::image_file::ImageFile;
use super::limits::DECODE_LIMIT_BYTES;
use super::oversight::Oversight;
use super::rejection::{ForeignFormat, ImageRejection};
use super::scale::Pixels;
use super::verify::{inspect, sniff};
use crate::domain::{self, FileContent};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::error::{ImageError, LimitErrorKind};
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageEncoder, ImageFormat, ImageReader};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// The largest colour profile that is kept. Real ones have a few kilobytes, those of printers one or two megabytes.
const MAX_PROFILE_BYTES: u64 = 4 << 20;
/// The qualities that a JPEG is tried with, until it is small enough.
const JPEG_QUALITIES: [u8; 4] = [88, 75, 60, 40];

/// What [`fit`] keeps to.
#[derive(Clone, Copy, Debug)]
pub struct PhotoLimits {
    /// In bytes.
    pub bytes: u64,
    /// The longer side, in pixels.
    pub side: u32,
}

impl Default for PhotoLimits {
    /// A photo's 10 MiB (Bot API server), and 2,560 pixels, of which Telegram shows no more (its largest size of photos).
    fn default() -> Self {
        Self { bytes: 10_485_760, side: 2560 }
    }
}

/// What [`fit`] has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FittedPhoto {
    /// JPEG, or PNG if it is transparent somewhere and small enough.
    pub format: domain::ImageFormat,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Writes an image again so that Telegram takes it as a photo: scaled down if it has to be, upright (an EXIF orientation is
/// applied), as JPEG or PNG. `out` is overwritten; nothing is written if the image is refused.
///
/// For what [`super::verify()`] takes and is small enough there is no need. A ratio that breaks the limit stays broken, so it
/// is refused, and so is what would take more memory than [`DECODE_LIMIT_BYTES`].
///
/// Asks whether to go on before each piece of the file and each step of the work, the longest of which takes a second or two:
/// the libraries that decode do not ask.
pub fn fit(
    content: &FileContent,
    out: &Path,
    limits: PhotoLimits,
    oversight: &Oversight,
) -> Result<FittedPhoto, ImageRejection> {
    let mut source = ImageFile::open(content, oversight)?;
    let bytes = source.length();
    let head = source.peek(domain::ImageFormat::SNIFF_BYTES)?;
    let (format, progressive, memory) = match sniff(head) {
        Err(ImageRejection::Format(ForeignFormat::WebP)) => (ImageFormat::WebP, false, DECODE_LIMIT_BYTES),
        Err(other) => return Err(other),
        Ok(format) => {
            let info = inspect(content, oversight, &check_decodable)?;
            // The pixels, and a little for a colour profile, which may be packed.
            let memory = u64::from(info.width) * u64::from(info.height) * 8 + MAX_PROFILE_BYTES;
            (library_format(format), info.progressive, memory.min(DECODE_LIMIT_BYTES))
        }
    };
    let file: Box<dyn ReadSeek> = match content {
        FileContent::Memory(bytes) => Box::new(Cursor::new(bytes.clone())),
        FileContent::File(path) => Box::new(File::open(path)?),
    };
    let watched = WatchedFile { file, oversight };
    let mut reader = ImageReader::with_format(BufReader::new(watched), format);
    let mut most = image::Limits::default();
    most.max_alloc = Some(memory);
    reader.limits(most);
    let picture = reader.into_decoder().map_err(rejection_of);
    let picture = picture.and_then(|decoder| decode(decoder, format, progressive, bytes, limits.side));
    // If the reading was ended, this says so better than the library.
    oversight.go_on()?;
    let written = encode(picture?, limits, oversight)?;
    std::fs::write(out, &written.bytes)?;
    let (format, width, height) = (written.format, written.width, written.height);
    Ok(FittedPhoto { format, width, height, bytes: written.bytes.len() as u64 })
}

trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// A file that asks whether to go on before it is read.
struct WatchedFile<'a> {
    file: Box<dyn ReadSeek>,
    oversight: &'a Oversight,
}

impl Read for WatchedFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.oversight.go_on().map_err(io::Error::other)?;
        self.file.read(buffer)
    }
}

impl Seek for WatchedFile<'_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

fn library_format(format: domain::ImageFormat) -> ImageFormat {
    match format {
        domain::ImageFormat::Jpeg => ImageFormat::Jpeg,
        domain::ImageFormat::Png => ImageFormat::Png,
        domain::ImageFormat::Gif => ImageFormat::Gif,
        domain::ImageFormat::Bmp => ImageFormat::Bmp,
        domain::ImageFormat::Tiff => ImageFormat::Tiff,
    }
}

/// A picture in 8 bits a channel, and its colour profile if it still applies.
struct DecodedImage {
    image: DynamicImage,
    profile: Option<Vec<u8>>,
}

fn decode(
    mut decoder: impl ImageDecoder,
    format: ImageFormat,
    progressive: bool,
    bytes: u64,
    side: u32,
) -> Result<DecodedImage, ImageRejection> {
    let (width, height) = decoder.dimensions();
    check_decodable(width, height)?;
    let colour = decoder.color_type();
    let pixels = u64::from(width) * u64::from(height);
    let output = decoder.total_bytes();
    let memory = match format {
        // The library holds the file, and of a progressive one all coefficients: two bytes for each of three colours.
        ImageFormat::Jpeg => output + bytes + if progressive { pixels * 2 * 3 } else { 0 },
        ImageFormat::Tiff | ImageFormat::WebP | ImageFormat::Gif => 2 * output,
        _ => output,
    };
    // More than 8 bits a channel are brought down to them in a copy.
    let copy = if colour.bytes_per_pixel() > colour.channel_count() { output / 2 } else { 0 };
    if memory + copy > DECODE_LIMIT_BYTES {
        return Err(ImageRejection::TooLarge { width, height });
    }
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let profile = decoder.icc_profile().unwrap_or(None).filter(|profile| {
        let wanted: &[u8] = if colour.has_color() { b"RGB " } else { b"GRAY" };
        profile.get(16..20) == Some(wanted)
    });
    let image = DynamicImage::from_decoder(decoder).map_err(rejection_of)?;
    let mut image = scale(image, side);
    image.apply_orientation(orientation);
    Ok(DecodedImage { image, profile })
}

/// Scales down until the longer side fits, to 8 bits a channel.
fn scale(image: DynamicImage, side: u32) -> DynamicImage {
    let image = match image {
        DynamicImage::ImageLuma8(_)
        | DynamicImage::ImageLumaA8(_)
        | DynamicImage::ImageRgb8(_)
        | DynamicImage::ImageRgba8(_) => image,
        other if other.color().has_alpha() => other.into_rgba8().into(),
        other if other.color().has_color() => other.into_rgb8().into(),
        other => other.into_luma8().into(),
    };
    let (width, height) = (image.width(), image.height());
    let long = width.max(height);
    if long <= side {
        return image;
    }
    // Rounded up, so that the ratio gets no worse.
    let scaled = |length: u32| (u64::from(length) * u64::from(side)).div_ceil(u64::from(long)) as u32;
    let (new_width, new_height) = (scaled(width), scaled(height));
    let channels = usize::from(image.color().channel_count());
    let bytes = Pixels { bytes: image.as_bytes(), width, height, channels }.scaled(new_width, new_height);
    let whole = "as many bytes as the size has";
    match channels {
        1 => DynamicImage::ImageLuma8(ImageBuffer::from_raw(new_width, new_height, bytes).expect(whole)),
        2 => DynamicImage::ImageLumaA8(ImageBuffer::from_raw(new_width, new_height, bytes).expect(whole)),
        3 => DynamicImage::ImageRgb8(ImageBuffer::from_raw(new_width, new_height, bytes).expect(whole)),
        _ => DynamicImage::ImageRgba8(ImageBuffer::from_raw(new_width, new_height, bytes).expect(whole)),
    }
}

struct EncodedPhoto {
    bytes: Vec<u8>,
    format: domain::ImageFormat,
    width: u32,
    height: u32,
}

fn encode(picture: DecodedImage, limits: PhotoLimits, oversight: &Oversight) -> Result<EncodedPhoto, ImageRejection> {
    let DecodedImage { image, profile } = picture;
    let written = |bytes: Vec<u8>, format, image: &DynamicImage| {
        let (width, height) = (image.width(), image.height());
        (bytes.len() as u64 <= limits.bytes).then_some(EncodedPhoto { bytes, format, width, height })
    };
    if is_transparent(&image) {
        let mut bytes = Vec::new();
        let mut encoder = PngEncoder::new(&mut bytes);
        set_profile(&mut encoder, profile.as_ref());
        image.write_with_encoder(encoder).map_err(rejection_of)?;
        if let Some(written) = written(bytes, domain::ImageFormat::Png, &image) {
            return Ok(written);
        }
    }
    let mut image = on_white(image);
    loop {
        for quality in JPEG_QUALITIES {
            oversight.go_on()?;
            let mut bytes = Vec::new();
            let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
            set_profile(&mut encoder, profile.as_ref());
            image.write_with_encoder(encoder).map_err(rejection_of)?;
            if let Some(written) = written(bytes, domain::ImageFormat::Jpeg, &image) {
                return Ok(written);
            }
        }
        let side = image.width().max(image.height());
        if side < 64 {
            return Err(ImageRejection::Damaged("it does not get small"));
        }
        image = scale(image, side / 2);
    }
}

/// A profile that cannot be kept is left out: the colours are then a little off.
fn set_profile(encoder: &mut impl ImageEncoder, profile: Option<&Vec<u8>>) {
    if let Some(profile) = profile {
        let _ = encoder.set_icc_profile(profile.clone());
    }
}

fn is_transparent(image: &DynamicImage) -> bool {
    let channels = usize::from(image.color().channel_count());
    image.color().has_alpha() && image.as_bytes().chunks_exact(channels).any(|pixel| pixel[channels - 1] < 255)
}

/// Without its alpha, which JPEG does not have: on white, as viewers show it.
fn on_white(image: DynamicImage) -> DynamicImage {
    let blend = |value: u8, alpha: u8| {
        let (value, alpha) = (u16::from(value), u16::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    match image {
        DynamicImage::ImageLumaA8(mut pixels) => {
            pixels.pixels_mut().for_each(|pixel| pixel.0[0] = blend(pixel.0[0], pixel.0[1]));
            DynamicImage::ImageLumaA8(pixels).into_luma8().into()
        }
        DynamicImage::ImageRgba8(mut pixels) => {
            for pixel in pixels.pixels_mut() {
                let [red, green, blue, alpha] = pixel.0;
                pixel.0 = [blend(red, alpha), blend(green, alpha), blend(blue, alpha), 255];
            }
            DynamicImage::ImageRgba8(pixels).into_rgb8().into()
        }
        opaque => opaque,
    }
}

fn rejection_of(error: ImageError) -> ImageRejection {
    match error {
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => ImageRejection::Truncated,
        ImageError::IoError(error) => ImageRejection::File(error),
        ImageError::Unsupported(_) => ImageRejection::Unsupported("of a rare kind"),
        ImageError::Limits(error) if matches!(error.kind(), LimitErrorKind::InsufficientMemory) => {
            ImageRejection::Damaged("it takes more memory than its size does")
        }
        _ => ImageRejection::Damaged("it cannot be decoded"),
    }
}
