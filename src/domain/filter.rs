//! Which notifications are meant: of a listing, a count, or something that is done to many.

use super::client_name::ClientName;
use super::ids::{BotName, ChatId, NotificationId};
use super::notification::Notification;
use super::record::{FailureClass, Record, Status};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Conditions that a record must meet, all of them. Without any it meets them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Its status is one of these; any if there are none.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub statuses: BTreeSet<Status>,
    /// It is of this bot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot: Option<BotName>,
    /// The client of this name has posted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientName>,
    /// It goes to this chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_id: Option<ChatId>,
    /// It has this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Its failure is of this class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<FailureClass>,
    /// It was taken in at this moment or later, by the moment in its id; see [`NotificationId::first_of`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// It was taken in before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The reason of its failure holds this text, in capitals or not; if it has no failure, that of its last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whoever asks sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_by: Option<Viewer>,
}

/// A client that does not see everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// It sees what it has posted,
    pub client: ClientName,
    /// if that is of one of these bots, or of any,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_bots: Option<BTreeSet<BotName>>,
    /// and everything of these.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub bots: BTreeSet<BotName>,
}

impl Viewer {
    fn sees(&self, notification: &Notification) -> bool {
        let bot = &notification.bot;
        let is_own = notification.client.as_ref() == Some(&self.client);
        is_own && self.own_bots.as_ref().is_none_or(|bots| bots.contains(bot)) || self.bots.contains(bot)
    }
}

impl Filter {
    /// Only this status.
    pub fn of_status(status: Status) -> Self {
        Self { statuses: [status].into(), ..Self::default() }
    }

    /// Whether a record meets all conditions.
    pub fn matches(&self, record: &Record) -> bool {
        fn meets<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
            wanted.is_none_or(|wanted| found == Some(wanted))
        }
        let notification = &record.notification;
        let class = record.failure.as_ref().map(|failure| &failure.class);
        (self.statuses.is_empty() || self.statuses.contains(&record.status))
            && meets(self.bot.as_ref(), Some(&notification.bot))
            && meets(self.client.as_ref(), notification.client.as_ref())
            && meets(self.chat_id.as_ref(), Some(&notification.chat_id))
            && self.tag.as_ref().is_none_or(|tag| notification.tags.contains(tag))
            && meets(self.class.as_ref(), class)
            && self.first().is_none_or(|first| notification.id >= first)
            && self.below().is_none_or(|below| notification.id < below)
            && self.reason.as_ref().is_none_or(|reason| holds(record, reason))
            && self.seen_by.as_ref().is_none_or(|viewer| viewer.sees(notification))
    }

    /// The lowest id that can meet the conditions.
    pub fn first(&self) -> Option<NotificationId> {
        self.since.map(NotificationId::first_of)
    }

    /// No id from this one on can meet them.
    pub fn below(&self) -> Option<NotificationId> {
        self.until.map(NotificationId::first_of)
    }

    /// The statuses that a record can have which meets them; nothing for any. What was sent has no failure, and it is most.
    pub fn candidates(&self) -> Option<Vec<Status>> {
        let has_reason = self.class.is_some() || self.reason.is_some();
        if self.statuses.is_empty() && !has_reason {
            return None;
        }
        let given = |status: &Status| self.statuses.is_empty() || self.statuses.contains(status);
        let possible = |status: &Status| given(status) && !(has_reason && *status == Status::Sent);
        Some(Status::ALL.into_iter().filter(possible).collect())
    }

    /// Whether ids, statuses and the bot decide, so that no record need be looked at.
    pub fn is_indexed(&self) -> bool {
        let Self { statuses: _, bot: _, since: _, until: _, client, chat_id, tag, class, reason, seen_by } = self;
        let texts = [tag, reason].iter().all(|text| text.is_none());
        texts && client.is_none() && chat_id.is_none() && class.is_none() && seen_by.is_none()
    }

    /// Whether nothing is asked for: then everything is meant that whoever asks sees.
    pub fn is_empty(&self) -> bool {
        *self == Self { seen_by: self.seen_by.clone(), ..Self::default() }
    }
}

/// Whether the reason of a record holds a text.
fn holds(record: &Record, text: &str) -> bool {
    let last = || record.attempts.last().and_then(|attempt| attempt.reason.as_deref());
    let reason = record.failure.as_ref().map(|failure| failure.description.as_str()).or_else(last);
    reason.is_some_and(|reason| reason.to_lowercase().contains(&text.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Attempt, Failure, RecordUpdate};
    use serde_json::json;

    fn record() -> Record {
        let notification = json!({
            "v": 1, "id": NotificationId::first_of(Timestamp::from_unix_millis(5_000)).to_string(), "bot": "shop",
            "chat_id": -5, "lane": "bulk", "delivery": "at_most_once", "client": "web", "tags": ["a", "b"],
            "call": {"method": "sendMessage", "params": {}, "media": []}, "accepted_at": "2026-01-01T00:00:00Z",
            "expires_at": "2026-01-02T00:00:00Z",
        });
        let mut record = Record::accepted(serde_json::from_value(notification).unwrap());
        let description = "Forbidden: bot was BLOCKED by the user".to_owned();
        let failure = Some(Failure { class: FailureClass::Recipient, error_code: Some(403), description });
        record.apply(RecordUpdate { failure, ..RecordUpdate::of(Status::Failed, Timestamp::now()) });
        record
    }

    fn read(filter: serde_json::Value) -> Filter {
        serde_json::from_value(filter).unwrap()
    }

    #[test]
    fn every_condition_must_be_met() {
        let record = record();
        let whole = json!({
            "statuses": ["sent", "failed"], "bot": "shop", "client": "web", "chat_id": -5, "tag": "b", "class": "recipient",
            "since": "1970-01-01T00:00:05Z", "until": "1970-01-01T00:00:05.001Z", "reason": "Was blocked",
            "seen_by": {"client": "web"},
        });
        assert!(read(whole.clone()).matches(&record) && Filter::default().matches(&record));
        for (name, other) in [
            ("statuses", json!(["sent"])),
            ("bot", json!("other")),
            ("client", json!("other")),
            ("chat_id", json!(5)),
            ("tag", json!("c")),
            ("class", json!("content")),
            ("since", json!("1970-01-01T00:00:05.001Z")),
            ("until", json!("1970-01-01T00:00:05Z")),
            ("reason", json!("kicked")),
            ("seen_by", json!({"client": "other"})),
        ] {
            let mut filter = whole.clone();
            filter[name] = other;
            let filter = read(filter);
            assert!(!filter.matches(&record), "{name}");
            assert_eq!(read(json!(filter)), filter, "it is kept as it is");
        }
    }

    #[test]
    fn without_a_failure_the_last_attempt_has_the_reason() {
        let mut record = record();
        (record.failure, record.status) = (None, Status::Expired);
        record.attempts.push(Attempt::interrupted(Timestamp::now()));
        assert!(read(json!({"reason": "cut off"})).matches(&record));
        assert!(!read(json!({"reason": "blocked"})).matches(&record));
    }

    #[test]
    fn a_client_sees_its_own_and_what_it_manages() {
        let record = record();
        let sees = |viewer| read(json!({"seen_by": viewer})).matches(&record);
        assert!(sees(json!({"client": "web", "own_bots": ["shop"]})) && sees(json!({"client": "x", "bots": ["shop"]})));
        assert!(!sees(json!({"client": "web", "own_bots": ["other"]})) && !sees(json!({"client": "x", "bots": ["y"]})));
    }

    #[test]
    fn what_was_sent_is_not_looked_through_for_a_reason() {
        assert_eq!(Filter::default().candidates(), None);
        let candidates = |filter| read(filter).candidates().unwrap();
        assert_eq!(candidates(json!({"statuses": ["failed", "sent"]})), [Status::Sent, Status::Failed]);
        assert_eq!(candidates(json!({"statuses": ["failed", "sent"], "reason": "x"})), [Status::Failed]);
        assert_eq!(candidates(json!({"class": "recipient"})).len(), Status::ALL.len() - 1);
        assert!(read(json!({"bot": "a", "since": "2026-01-01T00:00:00Z"})).is_indexed());
        assert!(!read(json!({"tag": "a"})).is_indexed() && read(json!({"seen_by": {"client": "a"}})).is_empty());
    }
}
