//! Making a photo of what is none.

use super::png::{image_of, zeros};
use super::{fitted, fixtures};
use crate::domain::ImageFormat;
use crate::imaging::{ForeignFormat, ImageRejection, PhotoLimits};

#[test]
fn shrinking_turns_upright_keeps_what_is_transparent_and_gets_below_the_limit() {
    let find = |name: &str| fixtures().into_iter().find(|(other, _)| other == name).unwrap().1;
    let (shrunk, _) = fitted(&find("sideways.jpg"), PhotoLimits::default()).unwrap();
    assert_eq!((shrunk.format, shrunk.width, shrunk.height), (ImageFormat::Jpeg, 29, 45));
    for (name, bytes) in fixtures() {
        let (shrunk, _) =
            fitted(&bytes, PhotoLimits::default()).unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
        assert_eq!(shrunk.width + shrunk.height, 74, "{name}");
    }
    let mut random = fastrand::Rng::with_seed(5);
    let glass = image::RgbaImage::from_fn(300, 200, |_, _| image::Rgba([200, 0, 0, random.u8(90..110)]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    glass.write_to(&mut bytes, image::ImageFormat::WebP).unwrap();
    let bytes = bytes.into_inner();
    let (shrunk, _) = fitted(&bytes, PhotoLimits::default()).unwrap();
    assert_eq!(shrunk.format, ImageFormat::Png);
    let (shrunk, jpeg) = fitted(&bytes, PhotoLimits { bytes: 9000, side: 2560 }).unwrap();
    assert!(shrunk.format == ImageFormat::Jpeg && shrunk.bytes <= 9000 && shrunk.width >= 150, "{shrunk:?}");
    let pixel = image::load_from_memory(&jpeg).unwrap().to_rgb8()[(5, 5)];
    assert!(pixel.0[0] > 220 && (140..170).contains(&pixel.0[1]), "on white: {pixel:?}");
}

#[test]
fn what_cannot_be_shrunk_says_why() {
    let find = |name: &str| fixtures().into_iter().find(|(other, _)| other == name).unwrap().1;
    let narrow = image_of(4200, 200, 1, 0, 0, &zeros(200 * (1 + 525)));
    assert!(matches!(fitted(&narrow, PhotoLimits::default()), Err(ImageRejection::Ratio { width: 4200, height: 200 })));
    let huge = image_of(20_000, 10_000, 8, 2, 0, &zeros(10_000));
    assert!(
        matches!(fitted(&huge, PhotoLimits::default()), Err(ImageRejection::Damaged(_))),
        "it has few of its pixels"
    );
    let huge = image_of(20_000, 10_000, 8, 2, 0, &zeros(10_000 * 60_001));
    assert!(matches!(fitted(&huge, PhotoLimits::default()), Err(ImageRejection::TooLarge { .. })));
    let text = b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
    assert!(matches!(fitted(text, PhotoLimits::default()), Err(ImageRejection::Format(ForeignFormat::Markup))));
    for name in ["baseline-444.jpg", "progressive-420.jpg", "lossy.webp", "lossless.webp"] {
        let bytes = find(name);
        let cut = fitted(&bytes[..bytes.len() * 2 / 3], PhotoLimits::default());
        assert!(matches!(cut, Err(ImageRejection::Truncated | ImageRejection::Damaged(_))), "{name}: {cut:?}");
    }
}
