//! Stages an image: sends it to a chat set aside for that, so that its file_id is known before the first notification needs
//! it.

use super::accept::Intake;
use super::deliver::Delivered;
use super::rejection::{ProblemCode, Rejection};
use super::send_request::{Attachment, InputFile, SendRequest};
use super::spool::Upload;
use crate::domain::{BotName, ChatId, MediaKind, NotificationId, Sha256, Status};
use crate::ports::{FileKey, Outcome};
use crate::settings::Client;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// How long the image may wait for its turn in the staging chat.
const STAGING_TIMEOUT: Duration = Duration::from_secs(50);
/// How long the deletion of the staging message may wait for its turn.
const DELETION_TIMEOUT: Duration = Duration::from_secs(500);

impl Intake {
    /// The file_id under which a bot may send these bytes again, if it has one. A bot that delivers through WhatsMate
    /// has none.
    pub async fn file_id(&self, bot: &BotName, kind: MediaKind, sha256: Sha256) -> Result<Option<String>, Rejection> {
        let Some(telegram) = self.settings.bots.get(bot).and_then(|bot| bot.telegram()) else { return Ok(None) };
        Ok(self.ports.media.file_id(&FileKey { bot_id: telegram.id, kind, sha256 }).await?)
    }

    /// Sends an image to a chat without a sound, and deletes the message again unless it shall stay. Returns the
    /// image's file_id and the notification that sent it.
    ///
    /// # Errors
    /// [`ProblemCode::StagingFailed`] if the chat has not got it in time, and whatever [`Intake::deliver`] may say.
    pub async fn stage(
        &self,
        bot: BotName,
        chat_id: ChatId,
        upload: Upload,
        keep_message: bool,
        client: Option<Arc<Client>>,
    ) -> Result<(Option<String>, NotificationId), Rejection> {
        let input = InputFile::Upload(upload);
        let photo = Attachment { field: "photo".to_owned(), kind: MediaKind::Photo, input, filename: None };
        let silent = Map::from_iter([("disable_notification".to_owned(), Value::Bool(true))]);
        let mut sending =
            SendRequest::now(bot.clone(), chat_id.clone(), "sendPhoto", silent, vec![photo], STAGING_TIMEOUT);
        sending.client = client;
        let Delivered { id, outcome, .. } = self.deliver(sending, None).await?;
        let failed = |why: &str| {
            let detail = format!("The image is kept. The staging chat has not got it: {why}");
            Err(Rejection::field(ProblemCode::StagingFailed, "chat_id", detail))
        };
        let message = match outcome {
            Some(Outcome { status: Status::Sent, result: Some(message), .. }) => message,
            Some(Outcome { failure: Some(failure), .. }) => return failed(&failure.description),
            _ => return failed("it could not be sent in time."),
        };
        let sizes = message.get("photo").and_then(Value::as_array);
        let file_id = sizes.and_then(|sizes| sizes.last()?.get("file_id")?.as_str()).map(str::to_owned);
        if let Some(message_id) = message.get("message_id").filter(|_| !keep_message) {
            let message_id = Map::from_iter([("message_id".to_owned(), message_id.clone())]);
            let deletion = SendRequest::now(bot, chat_id, "deleteMessage", message_id, Vec::new(), DELETION_TIMEOUT);
            // No client has posted that, so none is charged for it. The image is staged even if its message cannot be deleted.
            if let Err(rejection) = self.accept(deletion, None).await {
                tracing::warn!(%rejection, "the message in the staging chat stays");
            }
        }
        Ok((file_id, id))
    }
}
