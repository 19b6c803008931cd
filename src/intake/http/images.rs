//! `/v1/images`: images kept, and their file_ids obtained, ahead of use.

use super::super::{Code, Fields, Files, InputFile, Order, Piece, Rejection, Upload};
use super::body::Body;
use super::caller::Caller;
use super::problem::Problem;
use super::{Shared, query, request};
use crate::domain::{
    BotName, ChatId, DeliveryGuarantee, ImageFormat, InvalidIdError, Lane, MediaKind, Sha256, Status, Timestamp,
};
use crate::imaging::ImageInfo;
use crate::ports::{FileKey, Outcome};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::StreamExt;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::time::Duration;
use utoipa::ToSchema;

/// How long the staging chat may take.
const PATIENCE: Duration = Duration::from_secs(50);

type Answer = Result<HttpResponse, Rejection>;

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
    put, path = "/v1/images", tag = "Images", security(("api_key" = [])),
    params(
        ("bot" = Option<String>, Query, pattern = "^[a-z0-9_-]{1,64}$", description = "The bot to stage it with; `default` if not given"),
        ("chat_id" = Option<String>, Query, description = "The chat to stage it in"),
        ("keep_message" = Option<bool>, Query, description = "Leave the message in the staging chat"),
    ),
    request_body(content(
        (Vec<u8> = "image/*"), (Vec<u8> = "application/octet-stream"), (Value = "application/json"), (Value = "multipart/form-data")
    ), description = "The image itself, or `{\"photo\": {\"base64\": ...}}`, or a form with the part `photo`"),
    responses(
        (status = 200, body = KeptImage, description = "It is kept, and staged if that was asked for"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "Something in the request is wrong, or the image is no photo"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "An API key is needed"),
        (status = 408, body = Problem, content_type = "application/problem+json", description = "The body came too slowly"),
        (status = 413, body = Problem, content_type = "application/problem+json", description = "The image or the body is too large"),
        (status = 415, body = Problem, content_type = "application/problem+json", description = "Neither an image nor JSON nor multipart/form-data"),
        (status = 502, body = Problem, content_type = "application/problem+json", description = "It is kept, but the staging chat has not got it"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "A needed part is away; try again after Retry-After"),
        (status = 507, body = Problem, content_type = "application/problem+json", description = "No room; try again after Retry-After"),
    )
)]
pub async fn put(request: HttpRequest, _: Caller, payload: Payload, shared: Data<Shared>) -> Answer {
    let given = query::parameters(request.query_string(), &["bot", "chat_id", "keep_message"])?;
    let bot = query::bot(&given, |bot| shared.intake.has_bot(bot))?;
    let chat_id: Option<Result<ChatId, InvalidIdError>> = given.get("chat_id").map(|chat| chat.parse());
    let chat_id = chat_id.transpose();
    let chat_id = chat_id.map_err(|error| Rejection::field(Code::InvalidChatId, "chat_id", format!("{error}.")))?;
    let keep_message = given.get("keep_message").map_or(Ok(false), |flag| flag.parse());
    let keep_message = keep_message
        .map_err(|_| Rejection::field(Code::InvalidQuery, "keep_message", "keep_message is true or false."))?;
    let upload = image(&request, payload, &shared).await?;
    let info = shared.intake.spool().verify_photo(&upload).await?;
    let (spooled, blobs) = (upload.spooled(), shared.blobs.clone());
    let sha256 = upload.sha256();
    let kept = spooled.clone();
    shared.run(async move { blobs.put(&kept).await }).await??;
    let mut answer = kept_image(sha256, spooled.size, info);
    if let Some(chat_id) = chat_id {
        let known = file_id(&shared, &bot, MediaKind::Photo, sha256).await?;
        (answer.file_id, answer.notification) = match known {
            Some(file_id) => (Some(file_id), None),
            None => stage(&shared, bot, chat_id, upload, keep_message).await?,
        };
    }
    Ok(HttpResponse::Ok().json(answer))
}

/// Which bots hold which file_id of an image.
#[utoipa::path(
    get, path = "/v1/images/{sha256}", tag = "Images", security(("api_key" = [])),
    params(("sha256" = String, Path, pattern = "^[0-9a-f]{64}$", description = "The SHA-256 of the image in hexadecimal")),
    responses(
        (status = 200, body = KnownImage, description = "What is known of it"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "An API key is needed"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "Neither its bytes nor a file_id of it are here"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "A needed part is away; try again after Retry-After"),
    )
)]
pub async fn get(_: Caller, path: Path<String>, shared: Data<Shared>) -> Answer {
    let unknown =
        || Rejection::new(Code::ImageNotFound, "Neither the bytes of such an image nor a file_id of it are here.");
    let sha256: Sha256 = path.parse().map_err(|_| unknown())?;
    let blobs = shared.blobs.clone();
    let size = shared.run(async move { blobs.stat(&sha256).await }).await??;
    let mut file_ids = Vec::new();
    for bot in shared.settings.bots.keys() {
        for kind in MediaKind::REUSABLE {
            if let Some(file_id) = file_id(&shared, bot, kind, sha256).await? {
                file_ids.push(KnownFileId { bot: bot.to_string(), kind: kind.as_str(), file_id });
            }
        }
    }
    if size.is_none() && file_ids.is_empty() {
        return Err(unknown());
    }
    Ok(HttpResponse::Ok().json(KnownImage { sha256: sha256.into(), size, file_ids }))
}

/// The image of a request, whichever way it came.
async fn image(request: &HttpRequest, payload: Payload, shared: &Shared) -> Result<Upload, Rejection> {
    let kind = request::content_type(request).unwrap_or_default();
    if kind.starts_with("image/") || kind == "application/octet-stream" {
        let mut body = Body::new(request, payload.into_inner(), shared.settings.body_limit)?;
        let mut writer = shared.intake.spool().begin();
        while let Some(piece) = body.pieces.next().await {
            writer.write(&piece.map_err(|_| body.fault.rejection())?)?;
        }
        return writer.finish().await;
    }
    let (mut fields, mut files): (Fields, Files) = request::read(request, payload, shared).await?;
    let _ = fields.take("photo");
    fields.check_empty("an image to keep")?;
    let file = files.take("photo").ok_or_else(|| {
        Rejection::field(Code::MissingField, "photo", "photo is missing: {\"base64\": …}, or a file part of a form.")
    })?;
    match files.left() {
        Some(name) => Err(Rejection::field(Code::MisplacedField, name, "One image is kept at a time.")),
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

async fn file_id(shared: &Shared, bot: &BotName, kind: MediaKind, sha256: Sha256) -> Result<Option<String>, Rejection> {
    let Some(telegram) = shared.settings.bots.get(bot).and_then(|bot| bot.telegram()) else { return Ok(None) };
    let (key, media) = (FileKey { bot_id: telegram.id, kind, sha256 }, shared.media.clone());
    Ok(shared.run(async move { media.file_id(&key).await }).await??)
}

/// Sends an image to a chat without a sound, and takes the message away again.
async fn stage(
    shared: &Shared,
    bot: BotName,
    chat_id: ChatId,
    upload: Upload,
    keep_message: bool,
) -> Result<(Option<String>, Option<String>), Rejection> {
    let input = InputFile::Upload(upload);
    let photo = Piece { field: "photo".to_owned(), kind: MediaKind::Photo, input, filename: None };
    let silent = json!({"disable_notification": true});
    let sending = order(bot.clone(), chat_id.clone(), "sendPhoto", silent, vec![photo], PATIENCE);
    let intake = shared.intake.clone();
    let (id, outcome) = shared.run(async move { intake.deliver(sending).await }).await??;
    let failed = |why: &str| {
        let detail = format!("The image is kept. The staging chat has not got it: {why}");
        Err(Rejection::field(Code::StagingFailed, "chat_id", detail))
    };
    let message = match outcome {
        Some(Outcome { status: Status::Sent, result: Some(message), .. }) => message,
        Some(Outcome { failure: Some(failure), .. }) => return failed(&failure.description),
        _ => return failed("it could not be sent in time."),
    };
    let sizes = message.get("photo").and_then(Value::as_array);
    let file_id = sizes.and_then(|sizes| sizes.last()?.get("file_id")?.as_str()).map(str::to_owned);
    if let Some(message_id) = message.get("message_id").filter(|_| !keep_message) {
        let deletion =
            order(bot, chat_id, "deleteMessage", json!({"message_id": message_id}), Vec::new(), 10 * PATIENCE);
        let intake = shared.intake.clone();
        // The image is staged all the same.
        if let Err(rejection) = shared.run(async move { intake.accept(deletion, None).await }).await? {
            tracing::warn!(%rejection, "the message in the staging chat stays");
        }
    }
    Ok((file_id, Some(id.to_string())))
}

fn order(bot: BotName, chat_id: ChatId, method: &str, params: Value, media: Vec<Piece>, life: Duration) -> Order {
    let now = Timestamp::now();
    Order {
        bot,
        chat_id,
        method: method.to_owned(),
        params: params.as_object().cloned().unwrap_or_else(Map::new),
        media,
        lane: Lane::Normal,
        delivery: DeliveryGuarantee::AtLeastOnce,
        tags: Vec::new(),
        received_at: now,
        send_at: None,
        expires_at: now.plus(life),
        then: Vec::new(),
    }
}
