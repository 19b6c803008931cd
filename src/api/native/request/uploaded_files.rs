//! The files that were uploaded with a request: parts of a form by their names, base64 of a JSON body by where it stood.

use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::spool::{FILE_LIMIT_BYTES, Spool, Upload, UploadWriter};

/// How many files a request may have: an album of ten, each with a thumbnail and a cover, and one to spare.
const MAX_FILES: usize = 31;
/// The largest thumbnail in bytes (TDLib).
const THUMBNAIL_LIMIT_BYTES: u64 = 204_799;
/// The longest filename.
const FILENAME_LIMIT_CHARS: usize = 128;

/// The complete files that nobody has taken yet.
#[derive(Debug, Default)]
pub struct UploadedFiles(Vec<UploadedFile>);

/// A file and the name that its sender gave it.
#[derive(Debug)]
pub struct UploadedFile {
    name: String,
    /// Its bytes.
    pub upload: Upload,
    /// The filename that its sender gave it, made safe.
    pub filename: Option<String>,
}

impl UploadedFiles {
    /// Begins the upload of a file.
    ///
    /// # Errors
    /// If there is a file of that name, or there are too many.
    pub fn begin(&self, name: &str, spool: &Spool) -> Result<UploadWriter, Rejection> {
        if self.has(name) {
            let detail = format!("{name} is given twice; send one file under one name.");
            return Err(Rejection::field(ProblemCode::DuplicateField, name, detail));
        }
        if self.0.len() >= MAX_FILES {
            let detail = format!("A request may have {MAX_FILES} files: an album has up to ten items.");
            return Err(Rejection::field(ProblemCode::InvalidField, name, detail));
        }
        Ok(match name.rsplit('.').next() {
            Some("photo") => spool.begin_image(name),
            Some("thumbnail") => spool.begin_file(name, THUMBNAIL_LIMIT_BYTES),
            _ => spool.begin_file(name, FILE_LIMIT_BYTES),
        })
    }

    /// Adds a complete file.
    pub fn add(&mut self, name: String, upload: Upload, filename: Option<&str>) {
        self.0.push(UploadedFile { name, upload, filename: filename.and_then(safe_filename) });
    }

    /// Whether there is a file of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|file| file.name == name)
    }

    /// Takes the file of a name.
    pub fn take(&mut self, name: &str) -> Option<UploadedFile> {
        let at = self.0.iter().position(|file| file.name == name)?;
        Some(self.0.swap_remove(at))
    }

    /// The name of a file that nobody has taken.
    pub fn first_left(&self) -> Option<&str> {
        self.0.first().map(|file| file.name.as_str())
    }
}

/// A filename as text: of one in another character set, what can be read of it, or at least its extension.
pub fn readable_filename(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let readable = text.replace(char::REPLACEMENT_CHARACTER, "");
    let is_extension = readable.starts_with('.') && !text.starts_with('.');
    if is_extension { format!("file{readable}") } else { readable }
}

/// A name that a file can be sent under: the last part of a path, without control characters and quotes, not too long,
/// with its extension; `None` if nothing is left.
pub fn safe_filename(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last.chars().filter(|c| !c.is_control() && *c != '"').collect();
    let name = name.trim().trim_start_matches('.');
    let length = name.chars().count();
    if length <= FILENAME_LIMIT_CHARS {
        return (!name.is_empty()).then(|| name.to_owned());
    }
    let (stem, extension) = name.rsplit_once('.').filter(|(_, end)| end.chars().count() <= 16).unwrap_or((name, ""));
    let room = FILENAME_LIMIT_CHARS - extension.chars().count() - usize::from(!extension.is_empty());
    let stem: String = stem.chars().take(room).collect();
    Some(if extension.is_empty() { stem } else { format!("{stem}.{extension}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filenames_are_kept_but_for_what_could_do_harm() {
        for (given, kept) in [
            ("report.pdf", Some("report.pdf")),
            ("\u{c4}rger \u{1F408}.pdf", Some("\u{c4}rger \u{1F408}.pdf")),
            ("/etc/passwd", Some("passwd")),
            ("..\\..\\a.txt", Some("a.txt")),
            ("a\r\nb\".txt", Some("ab.txt")),
            ("..", None),
            ("", None),
            ("dir/", None),
        ] {
            assert_eq!(safe_filename(given).as_deref(), kept, "{given}");
        }
        for (given, read) in [
            (&b"a \xd1\x84.pdf"[..], "a \u{444}.pdf"),
            (b"\xee\xf2\xf7\xe5\xf2 2024.pdf", " 2024.pdf"),
            (b"\xb1\xa8\xb8\xe6.xlsx", "file.xlsx"),
            (b".profile", ".profile"),
            (b"\xff", ""),
        ] {
            assert_eq!(readable_filename(given), read);
        }
        let long = safe_filename(&format!("{}.tar", "\u{e9}".repeat(500))).unwrap();
        assert!(long.chars().count() == FILENAME_LIMIT_CHARS && long.ends_with("\u{e9}.tar"));
        assert_eq!(safe_filename(&format!("a.{}", "b".repeat(500))).unwrap().len(), FILENAME_LIMIT_CHARS);
    }
}
