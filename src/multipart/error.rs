//! What is wrong with a form, and what to do about it.

/// Why a body is no form that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MultipartError {
    /// The header names no boundary, or an empty one.
    #[error(
        "Content-Type names no boundary. If you set this header by hand, leave that to your HTTP client: it knows the \
         boundary that it writes."
    )]
    NoBoundary,
    /// The boundary is longer than RFC 2046 and the Bot API server allow.
    #[error("The boundary in Content-Type has more than 70 characters. Choose a shorter one.")]
    LongBoundary,
    /// Nothing in the body is the boundary that the header names.
    #[error(
        "The boundary named in Content-Type is nowhere in the body, as --BOUNDARY at the beginning of a line. Take both \
         from the same place, and do not write the two dashes into the header."
    )]
    BoundaryNotFound,
    /// The body ended before its last boundary.
    #[error(
        "The form ends before its last boundary, --BOUNDARY-- with two dashes behind it too. A Content-Length that counts \
         characters in place of bytes cuts it off."
    )]
    Unfinished,
    /// Lines end as in a Unix text file.
    #[error(
        "The lines of the form end in LF alone. Each has to end in CRLF (\\r\\n), the empty one before a value too."
    )]
    BareLineFeeds,
    /// The headers of a part are no headers.
    #[error(
        "The headers of a part cannot be read. A part is --BOUNDARY, a line Content-Disposition: form-data; name=\"...\", \
         an empty line and the value, each line with CRLF at its end."
    )]
    MalformedHeaders,
    /// A part does not say which field it is.
    #[error("A part has no name. Each needs a line Content-Disposition: form-data; name=\"...\" above its value.")]
    NamelessPart,
    /// The headers of all parts are too long together.
    #[error("The headers of all parts together may have 256 KiB.")]
    LongHeaders,
}

/// Why no further part can be had.
#[derive(Debug, PartialEq, Eq)]
pub enum PartsError<E> {
    /// The body itself ended with this error.
    Body(E),
    /// What came is no form.
    Malformed(MultipartError),
}
