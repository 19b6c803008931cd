//! Callers with much to say: short texts to many chats, each of which tells its chat and its number in it.

use crate::load::Client;
use crate::support::answer::Answer;
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Requests under way at a time.
const CALLERS: usize = 32;
const ALBUM_ITEMS: usize = 4;

/// The text of one.
pub fn text(chat: i64, number: u64) -> String {
    format!("chat {chat} number {number}")
}

/// The chat and the number that a text tells.
pub fn parse(text: &str) -> Option<(i64, u64)> {
    let (chat, number) = text.strip_prefix("chat ")?.split_once(" number ")?;
    Some((chat.parse().ok()?, number.parse().ok()?))
}

/// A notification of a text.
pub fn plain(chat: i64, number: u64) -> Value {
    json!({"chat_id": chat, "text": text(chat, number)})
}

/// A notification of an album, which makes several messages at once.
pub fn album(chat: i64, number: u64) -> Value {
    let item =
        |item: usize| json!({"type": "photo", "media": format!("https://example.org/{chat}/{number}/{item}.jpg")});
    let mut items: Vec<Value> = (0..ALBUM_ITEMS).map(item).collect();
    items[0]["caption"] = text(chat, number).into();
    json!({"chat_id": chat, "album": items})
}

/// Posts one, which must be accepted; returns its id.
pub async fn post_one(client: &Client, notification: &Value) -> String {
    accepted(client.post_json(notification).await)
}

/// Posts to every chat its numbers, in their order, all chats side by side. Returns the ids by text.
pub async fn post(
    client: &Client,
    chats: impl IntoIterator<Item = (i64, Range<u64>)>,
    notification: fn(i64, u64) -> Value,
) -> BTreeMap<String, String> {
    let callers = Arc::new(Semaphore::new(CALLERS));
    let mut posts = JoinSet::new();
    for (chat, numbers) in chats {
        let (client, callers) = (client.clone(), callers.clone());
        posts.spawn(async move {
            let mut ids = Vec::new();
            for number in numbers {
                // The semaphore is fair, so the chats mix.
                let _turn = callers.acquire().await.unwrap();
                ids.push((text(chat, number), post_one(&client, &notification(chat, number)).await));
            }
            ids
        });
    }
    posts.join_all().await.into_iter().flatten().collect()
}

/// Posts very many to one chat, in no certain order, as fast as they are taken.
pub async fn post_deep(client: &Client, chat: i64, numbers: Range<u64>) {
    let post = |number| async move {
        accepted(client.post_json_until_taken(&plain(chat, number), &text(chat, number).replace(' ', "-")).await)
    };
    stream::iter(numbers).map(post).buffer_unordered(CALLERS).for_each(async |_| ()).await;
}

fn accepted(answer: reqwest::Result<Answer>) -> String {
    answer.unwrap_or_else(|error| panic!("a post got no answer: {error:?}")).id()
}
