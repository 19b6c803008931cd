//! What the bot says to people and groups. It goes through the queue as a notification like any other.

use super::registrar::{Registrar, RegistrationError};
use crate::domain::{
    Call, ChatId, DeliveryGuarantee, GroupName, Lane, Notification, NotificationId, PhoneNumber, Sha256, Timestamp,
};
use crate::ports::{AcceptError, Idempotency, Submission};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A reply that would come later than this is not sent.
const REPLY_LIFETIME: Duration = Duration::from_secs(3600);
/// The tag of these notifications.
const REPLY_TAG: &str = "registration";

/// What the bot says.
pub(super) enum BotReply<'a> {
    /// To whoever has not registered.
    Welcome,
    /// To whoever has.
    Known(&'a PhoneNumber),
    /// To whoever just did.
    Registered(&'a PhoneNumber),
    /// To whoever shared another's contact.
    NotOwn,
    /// To whoever shared a number that is none.
    NoNumber,
    /// To a group.
    GroupRegistered(&'a GroupName),
    /// To a group; with the bot's username.
    GroupWaits(&'a GroupName, Option<&'a str>),
    /// To a group whose name is taken.
    GroupTaken(&'a GroupName),
}

impl BotReply<'_> {
    fn text(&self) -> String {
        match self {
            Self::Welcome => "Hello! To get pictures here, share your phone number with the button below. It is used \
                              for one thing: so that what is sent to your number finds this chat."
                .to_owned(),
            Self::Known(number) => format!(
                "You are registered with +{number}; there is nothing more to do. If that is no longer your number, \
                 share the new one with the button below."
            ),
            Self::Registered(number) => {
                format!("Thank you! What is sent to +{number} arrives in this chat from now on.")
            }
            Self::NotOwn => "Thank you, but I can register only your own number, and only from yourself. Please use \
                             the button below."
                .to_owned(),
            Self::NoNumber => "I cannot read that phone number. Please use the button below.".to_owned(),
            Self::GroupRegistered(name) => {
                format!(
                    "This group is registered as \"{}\": what is sent to it arrives here from now on.",
                    name.as_str()
                )
            }
            Self::GroupWaits(name, username) => {
                let chat = username.map_or("open a private chat with me".to_owned(), |username| {
                    format!("open https://t.me/{username}")
                });
                format!(
                    "Hello! Before \"{}\" can be sent to, I must know the phone number of who created this group. \
                     If that is you, please {chat}, press Start, and share your contact; the rest happens by itself.",
                    name.as_str()
                )
            }
            Self::GroupTaken(name) => format!(
                "Another group of the same creator is registered as \"{}\" already, so this one is not. Please give \
                 it another title; I will notice.",
                name.as_str()
            ),
        }
    }

    /// The keyboard: a button that shares one's own contact works in private chats only (Bot API).
    fn keyboard(&self) -> Option<Value> {
        match self {
            Self::Welcome | Self::Known(_) | Self::NotOwn | Self::NoNumber => Some(json!({
                "keyboard": [[{"text": "Share my phone number", "request_contact": true}]],
                "resize_keyboard": true,
                "one_time_keyboard": true,
            })),
            Self::Registered(_) => Some(json!({"remove_keyboard": true})),
            Self::GroupRegistered(_) | Self::GroupWaits(..) | Self::GroupTaken(_) => None,
        }
    }
}

impl Registrar {
    /// Queues a reply, once for the same `occasion` however often it is asked for (idempotency key).
    pub(super) async fn reply(&self, chat: i64, reply: BotReply<'_>, occasion: &str) -> Result<(), RegistrationError> {
        let text = reply.text();
        let idempotency = Idempotency {
            key: format!("{REPLY_TAG}:{}:{chat}:{occasion}", self.bot.name),
            fingerprint: Sha256::of(text.as_bytes()).to_string(),
        };
        let mut params = Map::from_iter([("text".to_owned(), Value::String(text))]);
        params.extend(reply.keyboard().map(|keyboard| ("reply_markup".to_owned(), keyboard)));
        let notification = self.notification(chat, params);
        let labels = [self.bot.name.as_str(), notification.lane.as_str()];
        match self.acceptor.accept(&Submission { notification, idempotency: Some(idempotency) }).await {
            Ok(accepted) if !accepted.replayed => self.metrics.accepted.with_label_values(&labels).inc(),
            // Said already, perhaps in other words, as things stood then.
            Ok(_) | Err(AcceptError::KeyReused) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn notification(&self, chat: i64, params: Map<String, Value>) -> Notification {
        let now = Timestamp::now();
        Notification {
            v: Notification::VERSION,
            id: NotificationId::new(),
            bot: self.bot.name.clone(),
            chat_id: ChatId::Id(chat),
            lane: Lane::Urgent,
            delivery: DeliveryGuarantee::AtLeastOnce,
            call: Call { method: "sendMessage".to_owned(), params, media: Vec::new() },
            accepted_at: now,
            send_at: None,
            expires_at: now.plus(REPLY_LIFETIME),
            tags: vec![REPLY_TAG.to_owned()],
            attempts: 0,
            deferral: None,
            first_accepted_at: None,
            reply_to: None,
            follows: None,
            then: Vec::new(),
            client: None,
            callback_url: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_to_share_a_contact_gets_the_button_and_whoever_has_loses_it() {
        let number: PhoneNumber = "491701234567".parse().unwrap();
        for reply in [BotReply::Welcome, BotReply::Known(&number), BotReply::NotOwn, BotReply::NoNumber] {
            let keyboard = reply.keyboard().unwrap();
            assert_eq!(keyboard["keyboard"][0][0]["request_contact"], true, "{}", reply.text());
        }
        assert_eq!(BotReply::Registered(&number).keyboard(), Some(json!({"remove_keyboard": true})));
    }

    #[test]
    fn groups_get_no_button_that_works_in_private_chats_only() {
        let name: GroupName = "Night shift".parse().unwrap();
        for reply in [BotReply::GroupRegistered(&name), BotReply::GroupWaits(&name, None), BotReply::GroupTaken(&name)]
        {
            assert_eq!(reply.keyboard(), None);
            assert!(reply.text().contains("\"Night shift\""), "{}", reply.text());
        }
        assert!(BotReply::GroupWaits(&name, Some("plots_bot")).text().contains("https://t.me/plots_bot"));
    }
}
