//! The problem documents (RFC 9457) that the operations of the native API may respond with, as OpenAPI shows them.

use crate::http::problem::ProblemDocument;
use std::collections::BTreeMap;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

macro_rules! problems {
    ($($name:ident: $status:literal, $description:literal;)*) => {$(
        #[doc = $description]
        pub enum $name {}

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [($status.to_owned(), problem($description).into())].into()
            }
        }
    )*};
}

problems! {
    FileIdRefused: "400", "The query is wrong, or Telegram refuses the file_id";
    Invalid: "400", "Something in the request is wrong; `code` and `field` say what";
    InvalidQuery: "400", "A query parameter is wrong";
    NoPhoto: "400", "Something in the request is wrong, or the image is no photo";
    NotOneRecipient: "400", "The query does not name one recipient";
    Unauthorized: "401", "An API key is needed";
    NoSuchBot: "404", "There is no such bot";
    NoSuchCallback: "404", "There is no such callback (any more)";
    NoSuchImage: "404", "Neither its bytes nor a file_id of it are here";
    NoSuchNotification: "404", "There is no such notification (any more)";
    NoSuchOperation: "404", "There is no such operation (any more)";
    NoSuchRecipient: "404", "There is no such recipient";
    TooSlow: "408", "The body came too slowly";
    NotDeletable: "409", "It has not been sent, or has no message that could be deleted";
    NotEditable: "409", "It has not been sent, or has no message that could be changed";
    NotRetryable: "409", "It has been sent, or is still on its way";
    TooManyPaused: "409", "As many chats of the bot are paused as may be";
    TooLate: "409", "Too late: it is being sent, or has ended";
    ImageGone: "410", "Its image is no longer held";
    BodyTooLarge: "413", "The body is over 2 MiB";
    TooLarge: "413", "The file or the body is too large";
    NotAnImageOrForm: "415", "Neither an image nor JSON nor multipart/form-data";
    NotJson: "415", "Not JSON";
    NotNdjson: "415", "Neither JSON nor NDJSON";
    NotJsonOrForm: "415", "Neither JSON nor a form nor a file that is sent as it is";
    KeyReused: "422", "The idempotency key was used with another request";
    FileUnavailable: "502", "Telegram does not give it out now";
    StagingFailed: "502", "It is kept, but the staging chat has not got it";
    LedgerAway: "503", "The ledger is away";
    Unavailable: "503", "A needed part is away; try again after Retry-After";
    NoRoom: "507", "No room; try again after Retry-After";
}

/// A response with a problem document.
fn problem(description: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemDocument::name()))).build();
    ResponseBuilder::new().description(description).content("application/problem+json", content).build()
}
