//! The handlers of `/v1/images`: images are kept, and their file_ids obtained, before the first notification needs them.

use super::problems::{
    NoPhoto, NoRoom, NoSuchImage, NotAnImageOrForm, StagingFailed, TooLarge, TooSlow, Unauthorized, Unavailable,
};
use super::query;
use super::request::body;
use super::request::fields::Fields;
use super::request::uploaded_files::UploadedFiles;
use super::schema::{ImageForm, ImageRequest};
use crate::domain::{ChatId, ImageFormat, InvalidIdError, MediaKind, Sha256};
use crate::http::auth::ApiClient;
use crate::http::body::{Body, content_type};
use crate::http::caller::spool_for;
use crate::http::routing::HandlerResult;
use crate::http::state::AppState;
use crate::imaging::ImageInfo;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::spool::Upload;
use crate::settings::Scope;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::StreamExt;
use serde::Serialize;
use utoipa::ToSchema;

/// An image that is kept.
#[derive(Serialize, ToSchema)]
pub struct KeptImage {
    /// The SHA-256 of its bytes in hexadecimal: send it in place of the bytes.
    sha256: String,
    /// Their number.
    size: u64,
    /// In pixels.
    width: u32,
    /// In pixels.
    height: u32,
    /// `jpeg`, `png`, `gif`, `bmp` or `tiff`.
    format: &'static str,
    /// The file_id under which the bot can send it as a photo, if it was staged.
    file_id: Option<String>,
    /// The notification that brought it to the staging chat, if one was needed.
    #[schema(format = Uuid)]
    notification: Option<String>,
}

/// What is known of an image.
#[derive(Serialize, ToSchema)]
pub struct KnownImage {
    /// The SHA-256 of its bytes in hexadecimal.
    sha256: String,
    /// The number of its bytes, while they are with us.
    size: Option<u64>,
    /// The file_ids under which bots can send it.
    file_ids: Vec<KnownFileId>,
}

/// A file_id.
#[derive(Serialize, ToSchema)]
pub struct KnownFileId {
    /// The bot that can use it.
    bot: String,
    /// What it can be sent as.
    kind: &'static str,
    /// It.
    file_id: String,
}

/// Keep an image.
///
/// From then on its digest can be sent in place of its bytes. With `chat_id`, a chat to stage images in, it is sent there
/// without a sound and deleted again, so that its file_id is there before the first notification needs it.
#[utoipa::path(
    put, operation_id = "put_image", path = "/v1/images", tag = "Images", security(("api_key" = [])),
    params(
        ("bot" = Option<String>, Query, pattern = "^[a-z0-9_-]{1,64}$", description = "The bot to stage it with; `default` if not given"),
        ("chat_id" = Option<String>, Query, description = "The chat to stage it in"),
        ("keep_message" = Option<bool>, Query, description = "Leave the message in the staging chat"),
    ),
    request_body(content(
        (Vec<u8> = "image/*"), (Vec<u8> = "application/octet-stream"), (ImageRequest = "application/json"), (ImageForm = "multipart/form-data")
    ), description = "The image itself, or `{\"photo\": {\"base64\": ...}}`, or a form with the part `photo`"),
    responses(
        (status = 200, body = KeptImage, description = "It is kept, and staged if that was asked for"),
        NoPhoto, Unauthorized, TooSlow, TooLarge, NotAnImageOrForm, StagingFailed, Unavailable, NoRoom,
    )
)]
pub async fn put(request: HttpRequest, caller: ApiClient, payload: Payload, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Send])?;
    let mut given = query::read(request.query_string(), &["bot", "chat_id", "keep_message"])?;
    let bot = query::bot_or_default(&mut given, |bot| state.intake.has_bot(bot))?;
    let chat_id: Option<Result<ChatId, InvalidIdError>> = given.get("chat_id").map(|chat| chat.parse());
    if chat_id.is_some() {
        caller.check_bot(&bot)?;
    }
    let chat_id = chat_id.transpose();
    let chat_id =
        chat_id.map_err(|error| Rejection::field(ProblemCode::InvalidChatId, "chat_id", format!("{error}.")))?;
    let keep_message = given.get("keep_message").map_or(Ok(false), |flag| flag.parse());
    let keep_message = keep_message
        .map_err(|_| Rejection::field(ProblemCode::InvalidQuery, "keep_message", "keep_message is true or false."))?;
    let upload = image(&request, payload, &state).await?;
    let info = spool_for(&request, &state).verify_photo(&upload).await?;
    let keeping =
        state.with_intake(|intake| async move { intake.keep(&upload).await.map(|spooled| (upload, spooled)) });
    let (upload, spooled) = keeping.await?;
    let (sha256, size) = (spooled.sha256, spooled.size);
    let mut kept = kept_image(sha256, size, info);
    if let Some(chat_id) = chat_id {
        let client = caller.named().cloned();
        let staging = state.with_intake(|intake| async move {
            match intake.file_id(&bot, MediaKind::Photo, sha256).await? {
                Some(file_id) => Ok((Some(file_id), None)),
                None => {
                    let staged = intake.stage(bot, chat_id, upload, keep_message, client).await;
                    staged.map(|(file_id, id)| (file_id, Some(id)))
                }
            }
        });
        let (file_id, notification) = staging.await?;
        (kept.file_id, kept.notification) = (file_id, notification.map(|id| id.to_string()));
    }
    Ok(HttpResponse::Ok().json(kept))
}

/// Which bots hold which file_id of an image.
#[utoipa::path(
    get, operation_id = "get_image", path = "/v1/images/{sha256}", tag = "Images", security(("api_key" = [])),
    params(("sha256" = String, Path, pattern = "^[0-9a-f]{64}$", description = "The SHA-256 of the image in hexadecimal")),
    responses(
        (status = 200, body = KnownImage, description = "What is known of it"),
        Unauthorized, NoSuchImage, Unavailable,
    )
)]
pub async fn get(caller: ApiClient, path: Path<String>, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Send, Scope::Read])?;
    let unknown = || {
        Rejection::new(ProblemCode::ImageNotFound, "Neither the bytes of such an image nor a file_id of it are here.")
    };
    let sha256: Sha256 = path.parse().map_err(|_| unknown())?;
    let size = state.with_ports(|ports| async move { ports.blobs.stat(&sha256).await }).await?;
    let mut file_ids = Vec::new();
    for bot in state.settings.bots.keys().filter(|bot| caller.may_use(bot)) {
        for kind in MediaKind::REUSABLE {
            let name = bot.clone();
            let found = state.with_intake(|intake| async move { intake.file_id(&name, kind, sha256).await }).await?;
            file_ids.extend(found.map(|file_id| KnownFileId { bot: bot.to_string(), kind: kind.as_str(), file_id }));
        }
    }
    if size.is_none() && file_ids.is_empty() {
        return Err(unknown());
    }
    Ok(HttpResponse::Ok().json(KnownImage { sha256: sha256.into(), size, file_ids }))
}

/// Spools the image of a request: its body as it is, a field of its JSON, or a part of its form.
async fn image(request: &HttpRequest, payload: Payload, state: &AppState) -> Result<Upload, Rejection> {
    let media_type = content_type(request);
    if media_type.starts_with("image/") || media_type == "application/octet-stream" {
        let mut body = Body::new(request, payload.into_inner(), state.settings.body_limit)?;
        let mut writer = spool_for(request, state).begin();
        while let Some(piece) = body.pieces.next().await {
            writer.write(&piece.map_err(|_| body.error.rejection())?)?;
        }
        return writer.finish().await;
    }
    let (mut fields, mut files): (Fields, UploadedFiles) = body::read(request, payload, state).await?;
    let _ = fields.take("photo");
    fields.check_empty("an image to keep")?;
    let file = files.take("photo").ok_or_else(|| {
        Rejection::field(
            ProblemCode::MissingField,
            "photo",
            "photo is missing: {\"base64\": …}, or a file part of a form.",
        )
    })?;
    match files.first_left() {
        Some(name) => Err(Rejection::field(ProblemCode::MisplacedField, name, "One image is kept at a time.")),
        None => Ok(file.upload),
    }
}

fn kept_image(sha256: Sha256, size: u64, info: ImageInfo) -> KeptImage {
    let format = match info.format {
        ImageFormat::Jpeg => "jpeg",
        ImageFormat::Png => "png",
        ImageFormat::Gif => "gif",
        ImageFormat::Bmp => "bmp",
        ImageFormat::Tiff => "tiff",
    };
    let (width, height) = (info.width, info.height);
    KeptImage { sha256: sha256.into(), size, width, height, format, file_id: None, notification: None }
}
