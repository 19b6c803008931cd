//! Pictures by the thousand, for `tests/picture-corpus`.

use super::{FileContent, ImageFormat};
use crate::imaging::{ImageRejection, Oversight, verify_whole};

/// Prints for each path of a list the format, and why the picture is refused, if it is.
#[test]
#[expect(clippy::disallowed_methods, reason = "it is given a list by a script, and is no service")]
#[ignore = "run by tests/picture-corpus, which compares the verdicts with those of others"]
fn every_picture_of_a_list_is_judged() {
    let list = std::env::var("PIXCOURIER_PICTURES").expect("the list");
    for path in std::fs::read_to_string(list).unwrap().lines() {
        let head = std::fs::read(path).unwrap();
        let format = match ImageFormat::sniff(&head) {
            Some(format) => format!("{format:?}").to_lowercase(),
            None => "other".to_owned(),
        };
        let why = match verify_whole(&FileContent::File(path.into()), &Oversight::none()) {
            Ok(()) => String::new(),
            Err(ImageRejection::File(error)) => panic!("{path}: {error}"),
            Err(rejection) => format!("{rejection:?}"),
        };
        println!("PICTURE\t{path}\t{format}\t{why}");
    }
}
