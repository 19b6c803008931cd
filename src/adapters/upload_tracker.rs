//! Streaming upload: files are handed to the connection as they are read, and what has been handed over says afterwards
//! whether a request that failed can have been acted on.

use super::http_client::error_text;
use crate::ports::{CallError, OutgoingFile};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Whether the files of one request have been handed over whole: before that a server cannot have acted on it.
pub struct UploadTracker {
    /// Files that are not handed over whole yet.
    unfinished: Arc<AtomicUsize>,
    /// Why a file could not be read.
    read_error: Arc<Mutex<Option<String>>>,
}

impl UploadTracker {
    /// Nothing of these files is handed over yet.
    pub fn new(files: &[OutgoingFile]) -> Self {
        Self { unfinished: Arc::new(AtomicUsize::new(files.len())), read_error: Arc::default() }
    }

    /// The file's bytes as a body; notes when they end, and why they cannot be read.
    pub fn track(&self, file: OutgoingFile) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let (unfinished, read_error) = (Arc::clone(&self.unfinished), Arc::clone(&self.read_error));
        let mut left = file.size;
        if left == 0 {
            unfinished.fetch_sub(1, Ordering::SeqCst);
        }
        file.content.map(move |piece| match piece {
            Ok(piece) => {
                let before = left;
                left = left.saturating_sub(piece.len() as u64);
                if before > 0 && left == 0 {
                    unfinished.fetch_sub(1, Ordering::SeqCst);
                }
                Ok(piece)
            }
            Err(error) => {
                *read_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                Err(io::Error::other("the image could not be read"))
            }
        })
    }

    /// What an error of the request means: certainly not sent, maybe sent, or our own files cannot be read.
    pub fn call_error(&self, error: reqwest::Error) -> CallError {
        if let Some(reason) = self.read_error.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return CallError::Content(reason);
        }
        let unfinished = self.unfinished.load(Ordering::SeqCst) > 0;
        if error.is_connect() || error.is_builder() || unfinished {
            return CallError::NotSent(error_text(error));
        }
        CallError::MaybeSent(error_text(error))
    }
}
