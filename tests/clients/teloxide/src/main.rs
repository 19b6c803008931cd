//! teloxide: its ways of sending files, errors, polling, downloads.
//!
//! Each check prints `ok <name>` or `FAIL <name>: <why>`; the exit code is 0 only if none failed.

use std::error::Error;
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use teloxide_core::net::Download;
use teloxide_core::payloads::{GetUpdatesSetters, SendPhotoSetters};
use teloxide_core::prelude::{ChatId, Requester};
use teloxide_core::types::{InputFile, InputMedia, InputMediaPhoto, InputMediaVideo, PhotoSize};
use teloxide_core::{ApiError, Bot, RequestError};

const CHAT: ChatId = ChatId(4711);
const NOBODY: ChatId = ChatId(9_000_000_400);
const BLOCKER: ChatId = ChatId(9_000_000_403);
const URL: &str = "https://example.org/pictures/photo.jpg";
const STRANGER: &str = "999:a-token-of-nobody-that-is-well-formed";
const PATIENCE: Duration = Duration::from_secs(60);

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let client = Client::new();
    let outcomes = [
        report("photo_by_bytes", client.photo_by_bytes()).await,
        report("photo_by_path", client.photo_by_path()).await,
        report("photo_by_url", client.photo_by_url()).await,
        report("photo_by_file_id", client.photo_by_file_id()).await,
        report("document_and_animation", client.document_and_animation()).await,
        report("album", client.album()).await,
        report("edit_media", client.edit_media()).await,
        report("download", client.download()).await,
        report("error", client.error()).await,
        report("long_poll", client.long_poll()).await,
    ];
    if outcomes.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn report(name: &str, check: impl Future<Output = Outcome>) -> bool {
    let outcome = tokio::time::timeout(PATIENCE, check).await.unwrap_or_else(|_| Err("takes too long".into()));
    match &outcome {
        Ok(()) => println!("ok {name}"),
        Err(why) => println!("FAIL {name}: {why:?}"),
    }
    outcome.is_ok()
}

struct Client {
    bot: Bot,
    base_url: String,
    sandbox: String,
    media: PathBuf,
}

impl Client {
    fn new() -> Self {
        let base_url = variable("BASE_URL");
        Self {
            bot: bot(&variable("TOKEN"), &base_url),
            base_url,
            sandbox: variable("SANDBOX"),
            media: variable("MEDIA").into(),
        }
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.media.join(name)).expect("the file to send is there")
    }

    fn picture(&self, name: &'static str) -> InputFile {
        InputFile::memory(self.bytes(name)).file_name(name)
    }

    fn file(&self, name: &str) -> InputFile {
        InputFile::file(self.media.join(name))
    }

    async fn largest(&self) -> Result<PhotoSize, Box<dyn Error>> {
        let message = self.bot.send_photo(CHAT, self.picture("photo.jpg")).await?;
        Ok(message.photo().and_then(<[_]>::last).ok_or("no photo")?.clone())
    }

    async fn photo_by_bytes(&self) -> Outcome {
        let message = self.bot.send_photo(CHAT, self.picture("photo.jpg")).caption("bytes").await?;
        equal((message.caption(), message.chat.id), (Some("bytes"), CHAT))?;
        let widths: Vec<_> = message.photo().ok_or("no photo")?.iter().map(|size| size.width).collect();
        equal(widths.iter().max(), widths.last())
    }

    async fn photo_by_path(&self) -> Outcome {
        let message = self.bot.send_photo(CHAT, self.file("photo.jpg")).await?;
        equal(message.photo().is_some(), true)
    }

    async fn photo_by_url(&self) -> Outcome {
        let message = self.bot.send_photo(CHAT, InputFile::url(URL.parse()?)).await?;
        equal(message.photo().is_some(), true)
    }

    async fn photo_by_file_id(&self) -> Outcome {
        let first = self.largest().await?;
        let again = self.bot.send_photo(CHAT, InputFile::file_id(first.file.id)).await?;
        let again = again.photo().and_then(<[_]>::last).ok_or("no photo")?;
        equal(&again.file.unique_id, &first.file.unique_id)
    }

    async fn document_and_animation(&self) -> Outcome {
        let message = self.bot.send_document(CHAT, self.file("report.pdf")).await?;
        let name = message.document().and_then(|document| document.file_name.clone());
        equal(name.as_deref(), Some("report.pdf"))?;
        let message = self.bot.send_animation(CHAT, self.file("moving.gif")).await?;
        equal(message.animation().is_some(), true)
    }

    async fn album(&self) -> Outcome {
        let known = InputFile::file_id(self.largest().await?.file.id);
        let album = [
            InputMedia::Photo(InputMediaPhoto::new(self.picture("photo.jpg")).caption("first")),
            InputMedia::Photo(InputMediaPhoto::new(InputFile::url(URL.parse()?))),
            InputMedia::Photo(InputMediaPhoto::new(known)),
            InputMedia::Video(InputMediaVideo::new(self.file("film.mp4"))),
        ];
        let messages = self.bot.send_media_group(CHAT, album).await?;
        equal(messages.len(), 4)?;
        let group = messages[0].media_group_id();
        equal((group.is_some(), messages.iter().all(|message| message.media_group_id() == group)), (true, true))?;
        equal((messages[0].caption(), messages[3].video().is_some()), (Some("first"), true))
    }

    async fn edit_media(&self) -> Outcome {
        let id = self.bot.send_photo(CHAT, self.picture("photo.jpg")).await?.id;
        for new in [self.picture("chart.png"), InputFile::url(URL.parse()?)] {
            let edited = self.bot.edit_message_media(CHAT, id, InputMedia::Photo(InputMediaPhoto::new(new))).await?;
            equal(edited.id, id)?;
        }
        let film = InputMedia::Video(InputMediaVideo::new(self.file("film.mp4")));
        equal(self.bot.edit_message_media(CHAT, id, film).await?.video().is_some(), true)
    }

    async fn download(&self) -> Outcome {
        let message = self.bot.send_document(CHAT, self.file("report.pdf")).await?;
        let id = message.document().ok_or("no document")?.file.id.clone();
        let file = self.bot.get_file(id).await?;
        let mut bytes = Vec::new();
        self.bot.download_file(&file.path, &mut bytes).await?;
        equal(bytes, self.bytes("report.pdf"))
    }

    async fn error(&self) -> Outcome {
        let nobody = self.bot.send_photo(NOBODY, self.picture("photo.jpg")).await;
        let blocker = self.bot.send_photo(BLOCKER, self.picture("photo.jpg")).await;
        equal(matches!(nobody, Err(RequestError::Api(ApiError::ChatNotFound))), true)?;
        equal(matches!(blocker, Err(RequestError::Api(ApiError::BotBlocked))), true)?;
        if self.base_url != self.sandbox {
            let stranger = bot(STRANGER, &self.base_url).get_me().await;
            equal(matches!(stranger, Err(RequestError::Api(ApiError::InvalidToken))), true)?;
        }
        Ok(())
    }

    async fn long_poll(&self) -> Outcome {
        let old = self.bot.get_updates().timeout(0).await?;
        let next = old.last().map_or(0, |update| update.id.0 as i32 + 1);
        let user_writes = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let number = self.bot.token().split(':').next().unwrap_or_default();
            let body = format!(r#"{{"bot": {number}, "text": {{"user_id": 7, "text": "hello"}}}}"#);
            self.bot.client().post(format!("{}/sandbox/incoming", self.sandbox)).body(body).send().await
        };
        let poll = async { self.bot.get_updates().offset(next).timeout(10).await };
        let (updates, written) = tokio::join!(poll, user_writes);
        equal(written?.status().as_u16(), 200)?;
        equal(updates?.len(), 1)
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn bot(token: &str, base_url: &str) -> Bot {
    Bot::new(token).set_api_url(base_url.parse().expect("BASE_URL is a URL"))
}

fn equal<T: PartialEq + std::fmt::Debug>(actual: T, expected: T) -> Outcome {
    if actual == expected { Ok(()) } else { Err(format!("{actual:?} is not {expected:?}").into()) }
}
