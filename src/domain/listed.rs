//! A record as a listing needs it: read past most parameters of its calls, which may be most of it and take many times their
//! size in memory. What it is recognised by is kept ([`ListedParams`]).

use super::call::{Call, Media};
use super::callback_url::CallbackUrl;
use super::client_name::ClientName;
use super::excerpt::ListedParams;
use super::ids::{BotName, ChatId, NotificationId};
use super::notification::{DeliveryGuarantee, FollowUp, Lane, Notification};
use super::record::{Attempt, Failure, Record, Status};
use super::time::Timestamp;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use std::fmt;

/// What is kept of a [`Notification`] when it is listed.
#[derive(Deserialize)]
pub struct ListedNotification {
    v: u8,
    id: NotificationId,
    bot: BotName,
    chat_id: ChatId,
    lane: Lane,
    delivery: DeliveryGuarantee,
    call: ListedCall,
    accepted_at: Timestamp,
    #[serde(default)]
    first_accepted_at: Option<Timestamp>,
    #[serde(default)]
    send_at: Option<Timestamp>,
    expires_at: Timestamp,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    client: Option<ClientName>,
    #[serde(default)]
    callback_url: Option<CallbackUrl>,
    #[serde(default)]
    follows: Option<NotificationId>,
    #[serde(default)]
    then: Vec<ListedFollowUp>,
}

#[derive(Deserialize)]
struct ListedCall {
    method: String,
    params: ListedParams,
    media: Vec<Media>,
}

#[derive(Deserialize)]
struct ListedFollowUp {
    id: NotificationId,
}

/// Of Telegram's result, the numbers of an album's messages.
#[derive(Default)]
pub struct ListedResult(Option<Vec<i64>>);

impl ListedResult {
    /// As a record has it.
    pub fn into_value(self) -> Option<Value> {
        self.0.map(|numbers| numbers.into_iter().map(|number| json!({"message_id": number})).collect())
    }
}

impl From<ListedNotification> for Notification {
    fn from(listed: ListedNotification) -> Self {
        let nothing = || Call { method: String::new(), params: Map::new(), media: Vec::new() };
        let then = listed.then.into_iter().map(|next| FollowUp { id: next.id, call: nothing() });
        let ListedCall { method, params: ListedParams(params), media } = listed.call;
        Self {
            v: listed.v,
            id: listed.id,
            bot: listed.bot,
            chat_id: listed.chat_id,
            lane: listed.lane,
            delivery: listed.delivery,
            call: Call { method, params, media },
            accepted_at: listed.accepted_at,
            first_accepted_at: listed.first_accepted_at,
            send_at: listed.send_at,
            expires_at: listed.expires_at,
            tags: listed.tags,
            client: listed.client,
            callback_url: listed.callback_url,
            attempts: 0,
            deferral: None,
            reply_to: None,
            follows: listed.follows,
            then: then.collect(),
        }
    }
}

/// What is kept of a [`Record`] when it is listed.
#[derive(Deserialize)]
pub struct ListedRecord {
    notification: ListedNotification,
    status: Status,
    attempts: Vec<Attempt>,
    message_id: Option<i64>,
    file_id: Option<String>,
    failure: Option<Failure>,
    next_attempt_at: Option<Timestamp>,
    #[serde(default)]
    result: ListedResult,
    updated_at: Timestamp,
}

impl From<ListedRecord> for Record {
    fn from(listed: ListedRecord) -> Self {
        Self {
            notification: listed.notification.into(),
            status: listed.status,
            attempts: listed.attempts,
            message_id: listed.message_id,
            file_id: listed.file_id,
            failure: listed.failure,
            next_attempt_at: listed.next_attempt_at,
            result: listed.result.into_value(),
            updated_at: listed.updated_at,
        }
    }
}

impl<'de> Deserialize<'de> for ListedResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ResultVisitor)
    }
}

struct ResultVisitor;

impl<'de> Visitor<'de> for ResultVisitor {
    type Value = ListedResult;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a result of the Bot API")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut messages: A) -> Result<Self::Value, A::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Item {
            Message { message_id: i64 },
            Other(IgnoredAny),
        }
        let mut numbers = Vec::new();
        while let Some(item) = messages.next_element::<Item>()? {
            if let Item::Message { message_id } = item {
                numbers.push(message_id);
            }
        }
        Ok(ListedResult(Some(numbers)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(ListedResult(None))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(ListedResult(None))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(ListedResult(None))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(ListedResult(None))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(ListedResult(None))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(ListedResult(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_has_all_but_results_and_most_parameters() {
        let call = |method: &str| {
            json!({
                "method": method, "params": {"caption": "x", "reply_markup": {"inline_keyboard": [[]]}},
                "media": [{"field": "photo", "kind": "photo", "source": {"file_id": "AgAC"}, "filename": "photo.jpg"}],
            })
        };
        let id = |number: u128| NotificationId::from_number(number).to_string();
        let written = json!({
            "v": 1, "id": id(7), "bot": "default", "chat_id": -5, "lane": "bulk", "delivery": "at_most_once",
            "call": call("sendMediaGroup"), "accepted_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-02T00:00:00Z",
            "tags": ["a"], "client": "shop", "callback_url": "https://a.example/?k=v", "attempts": 3, "then": [{"id": id(8), "call": call("sendMessage")}],
        });
        let mut whole: Notification = serde_json::from_value(written.clone()).unwrap();
        let listed: Notification = serde_json::from_str::<ListedNotification>(&written.to_string()).unwrap().into();
        whole.call.params.remove("reply_markup");
        whole.attempts = 0;
        whole.then[0].call = Call { method: String::new(), params: Map::new(), media: Vec::new() };
        assert_eq!(listed, whole);
        let album = json!([{"message_id": 70, "chat": {"id": -5}}, {"message_id": 71}]).to_string();
        let album: ListedResult = serde_json::from_str(&album).unwrap();
        assert_eq!(album.into_value(), Some(json!([{"message_id": 70}, {"message_id": 71}])));
        for (result, kept) in
            [("true", json!(null)), ("{\"message_id\": 5}", json!(null)), ("null", json!(null)), ("[1]", json!([]))]
        {
            let read: ListedResult = serde_json::from_str(result).unwrap();
            assert_eq!(json!(read.into_value()), kept, "{result}");
        }
    }
}
