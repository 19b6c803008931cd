//! The notification as it is stored in the queue: small, complete, versioned.

use super::call::Call;
use super::callback_url::CallbackUrl;
use super::client_name::ClientName;
use super::ids::{BotName, ChatId, NotificationId};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A notification on its way. Carries everything a courier needs, so that delivery goes on while the ledger is away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// The version of this layout; readers refuse a newer one.
    pub v: u8,
    /// Its id, also the message id at the broker.
    pub id: NotificationId,
    /// The bot that sends it.
    pub bot: BotName,
    /// Where it goes; replaced when Telegram says that the chat has migrated.
    pub chat_id: ChatId,
    /// Which lane it waits in.
    pub lane: Lane,
    /// What to do when nobody can know whether it arrived.
    pub delivery: DeliveryGuarantee,
    /// What to call.
    pub call: Call,
    /// When it was accepted, the last time: a retry accepts it again.
    pub accepted_at: Timestamp,
    /// When it was accepted first, if it has been accepted again since.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_accepted_at: Option<Timestamp>,
    /// Not to be sent before this.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub send_at: Option<Timestamp>,
    /// Not to be sent after this.
    pub expires_at: Timestamp,
    /// The caller's own labels, given back with the status.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tags: Vec<String>,
    /// How many attempts have got an answer, or may have; rides along when the notification is deferred.
    #[serde(default)]
    pub attempts: u32,
    /// Its place in its chat, if its courier has put it back into the queue until its turn.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deferral: Option<Deferral>,
    /// The caller waits for the outcome, and this is where to send it ([`crate::ports::OutcomeNotifier`]). It waits until
    /// `expires_at`: what cannot be sent by then is not kept until then, but given up at once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reply_to: Option<String>,
    /// In the record of one that waits until another is sent, since it is the next part of it: which one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub follows: Option<NotificationId>,
    /// What follows once it is sent, each in reply to the one before.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub then: Vec<FollowUp>,
    /// Who posted it, if that was a client with a name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client: Option<ClientName>,
    /// Who is told how it ends. The last member of the JSON, at whose end scripts in Redis look for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub callback_url: Option<CallbackUrl>,
}

/// The place that a courier gave a notification in its chat before it put it back into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deferral {
    /// The ownership of the bot under which it was deferred; the number means nothing to another.
    pub epoch: u64,
    /// The number of its arrival, counted by chat and lane.
    pub number: u64,
}

/// What is sent after something else, in reply to it: the rest of a long caption.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FollowUp {
    /// Its id from then on; told to the caller at acceptance.
    pub id: NotificationId,
    /// What to call.
    pub call: Call,
}

impl FollowUp {
    /// What follows a notification of this id, each under the id after the one before.
    pub fn numbered(id: NotificationId, mut then: Vec<FollowUp>) -> Vec<FollowUp> {
        let mut last = id;
        for next in &mut then {
            last = last.following();
            next.id = last;
        }
        then
    }
}

impl Notification {
    /// The layout version that this program writes.
    pub const VERSION: u8 = 1;

    /// When it was created: accepted for the first time.
    pub fn created_at(&self) -> Timestamp {
        self.first_accepted_at.unwrap_or(self.accepted_at)
    }

    /// Whether it keeps to the order of its chat: not if it is for a later time, or was accepted again.
    pub fn keeps_order(&self) -> bool {
        self.send_at.is_none() && self.first_accepted_at.is_none()
    }

    /// How many bytes it takes in memory, roughly.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.call.memory_bytes()
            + self.then.iter().map(|next| next.call.memory_bytes()).sum::<usize>()
    }

    /// The same under an id; what follows it is numbered from there.
    pub fn identified(mut self, id: NotificationId) -> Self {
        self.id = id;
        self.then = FollowUp::numbered(id, self.then);
        self
    }

    /// What follows it, as the ledger keeps each until the one before is sent: not in the queue, and with nothing behind it.
    pub fn waiting(&self) -> Vec<Self> {
        if self.then.is_empty() {
            return Vec::new();
        }
        let unsent = Self { attempts: 0, deferral: None, send_at: None, reply_to: None, ..self.clone() };
        let common = Self { then: Vec::new(), ..unsent };
        let befores = std::iter::once(self.id).chain(self.then.iter().map(|next| next.id));
        let waiting = |(next, before): (&FollowUp, NotificationId)| Self {
            id: next.id,
            call: next.call.clone(),
            follows: Some(before),
            ..common.clone()
        };
        self.then.iter().zip(befores).map(waiting).collect()
    }

    /// The notification that follows this one, now that it is sent as that message. It is the same however often it is
    /// asked for, so a courier that crashes in between does not send it twice.
    pub fn successor(&self, message_id: Option<i64>) -> Option<Self> {
        let (next, rest) = self.then.split_first()?;
        let call = next.call.in_reply_to(message_id);
        let then = rest.to_vec();
        Some(Self {
            id: next.id,
            call,
            then,
            attempts: 0,
            deferral: None,
            send_at: None,
            reply_to: None,
            follows: None,
            ..self.clone()
        })
    }
}

/// The lane of a notification, named by `priority` in requests. Lower sorts first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Before everything else.
    Urgent,
    /// The default.
    #[default]
    Normal,
    /// After the others; never starved entirely.
    Bulk,
}

impl Lane {
    /// All lanes, first served first.
    pub const ALL: [Lane; 3] = [Lane::Urgent, Lane::Normal, Lane::Bulk];

    /// The name in requests, queue names and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Normal => "normal",
            Self::Bulk => "bulk",
        }
    }
}

/// What to do when a request may or may not have reached Telegram: the Bot API has no idempotency keys, so the caller
/// chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryGuarantee {
    /// Try again; the recipient may see it twice.
    #[default]
    AtLeastOnce,
    /// Stop and say `unknown`; the recipient may not see it.
    AtMostOnce,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value};

    #[test]
    fn what_follows_answers_what_it_follows_and_is_the_same_every_time() {
        let text = |text: &str| Call {
            method: "sendMessage".into(),
            params: Map::from_iter([("text".to_owned(), Value::from(text))]),
            media: Vec::new(),
        };
        let (id, now) = (NotificationId::new(), Timestamp::now());
        let follows = |id, rest: &str| FollowUp { id, call: text(rest) };
        let first = Notification {
            v: Notification::VERSION,
            id,
            bot: BotName::default_bot(),
            chat_id: ChatId::Id(5),
            lane: Lane::Urgent,
            delivery: DeliveryGuarantee::AtMostOnce,
            call: text("first"),
            accepted_at: now,
            first_accepted_at: None,
            send_at: Some(now),
            expires_at: now,
            tags: vec!["a".into()],
            attempts: 3,
            deferral: None,
            reply_to: Some("here".into()),
            follows: None,
            then: vec![follows(id.following(), "second"), follows(id.following().following(), "third")],
            client: Some("shop".parse().unwrap()),
            callback_url: Some(CallbackUrl::parse("https://a.example/?k=v").unwrap()),
        };
        let second = first.successor(Some(70)).unwrap();
        assert_eq!(Some(&second), first.successor(Some(70)).as_ref());
        assert_eq!((second.id, second.attempts, &second.reply_to, second.send_at), (id.following(), 0, &None, None));
        assert_eq!(
            (second.lane, second.delivery, second.accepted_at),
            (Lane::Urgent, DeliveryGuarantee::AtMostOnce, now)
        );
        assert_eq!((&second.client, &second.callback_url), (&first.client, &first.callback_url));
        let json = serde_json::to_string(&first).unwrap();
        assert!(json.ends_with(r#","callback_url":"https://a.example/?k=v"}"#), "it is the last: {json}");
        assert_eq!(second.call.params["reply_parameters"]["message_id"], 70);
        let third = second.successor(Some(71)).unwrap();
        assert_eq!((third.call.params["text"].as_str(), third.then.len()), (Some("third"), 0));
        assert_eq!(third.successor(Some(72)), None);
        let waiting = first.waiting();
        let ids: Vec<_> = waiting.iter().map(|next| (next.id, next.follows, next.then.len())).collect();
        assert_eq!(ids, [(second.id, Some(first.id), 0), (third.id, Some(second.id), 0)]);
        assert_eq!(waiting[1].call, text("third"));
        assert!(id < second.id && second.id < third.id, "they keep their order in the chat");
    }
}
