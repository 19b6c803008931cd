//! Errors of the object store as errors of the port. Their own texts hold addresses, and a server's answer to a wrong
//! signature repeats the access key: only kinds and S3's error codes are passed on.

use super::limits::REQUEST_TIMEOUT;
use crate::ports::BlobError;
use object_store::Error;
use object_store::client::{HttpError, HttpErrorKind};
use std::error::Error as _;
use std::future::Future;
use std::io;

/// Gives a request to the store [`REQUEST_TIMEOUT`].
pub(super) async fn with_timeout<T>(request: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(REQUEST_TIMEOUT, request).await.unwrap_or_else(|_| {
        Err(Error::Generic { store: "", source: Box::new(io::Error::from(io::ErrorKind::TimedOut)) })
    })
}

/// An error of the store.
pub(super) fn blob_error(error: Error) -> BlobError {
    if causes(&error).any(|cause| cause.downcast_ref().is_some_and(|error: &io::Error| is_full(error.kind()))) {
        return BlobError::Full("the disk is full".to_owned());
    }
    let code = code(&error).map(|code| format!(" ({code})")).unwrap_or_default();
    BlobError::Unavailable(format!("{}{code}", kind(&error)))
}

/// An error of the local copy of an upload.
pub(super) fn spool_error(error: &io::Error) -> BlobError {
    BlobError::Unavailable(format!("the upload cannot be read: {}", error.kind()))
}

/// An error of the folder.
pub(super) fn folder_error(error: &io::Error) -> BlobError {
    if is_full(error.kind()) {
        return BlobError::Full("the disk is full".to_owned());
    }
    BlobError::Unavailable(error.kind().to_string())
}

/// Whether it is the bucket that was not found, and not the object.
pub(super) fn is_missing_bucket(error: &Error) -> bool {
    code(error).as_deref() == Some("NoSuchBucket")
}

fn is_full(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn kind(error: &Error) -> String {
    match error {
        Error::NotFound { .. } => return "not found".to_owned(),
        Error::PermissionDenied { .. } => return "permission denied".to_owned(),
        Error::Unauthenticated { .. } => return "the credentials are refused".to_owned(),
        _ => {}
    }
    if causes(error).any(|cause| cause.to_string().contains("UnknownIssuer")) {
        return "its certificate is not trusted here: name its authority in ca_file".to_owned();
    }
    for cause in causes(error) {
        if let Some(error) = cause.downcast_ref::<HttpError>() {
            return match error.kind() {
                HttpErrorKind::Connect => "no connection",
                HttpErrorKind::Timeout => "no answer in time",
                _ => "the request failed",
            }
            .to_owned();
        }
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return error.kind().to_string();
        }
    }
    "the request failed".to_owned()
}

/// S3's code, `<Code>NoSuchBucket</Code>` in its answer.
fn code(error: &Error) -> Option<String> {
    let text = error.to_string();
    let (code, _) = text.split_once("<Code>")?.1.split_once("</Code>")?;
    let plain = !code.is_empty() && code.len() <= 60 && code.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then(|| code.to_owned())
}

fn causes(error: &Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_of_an_answer_is_passed_on() {
        let body =
            "http://user:hunter2@host <Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIA</AWSAccessKeyId>";
        let error = blob_error(Error::Generic { store: "S3", source: body.into() });
        assert_eq!(error.to_string(), "blob store: the request failed (SignatureDoesNotMatch)");
    }

    #[test]
    fn a_full_disk_is_told_apart() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert!(matches!(blob_error(Error::Generic { store: "", source: Box::new(full) }), BlobError::Full(_)));
    }
}
