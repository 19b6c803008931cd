//! A record in few bytes: its JSON, deflated with a dictionary of what records have in common, so that little more than the
//! caller's text is left.

use crate::domain::{NotificationId, Record, Timestamp};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::time::Duration;

/// The first byte of what is deflated with [`dictionary`]. What is not deflated begins with the brace of its JSON.
const DEFLATED: u8 = 1;

/// More than this is not deflated: its text is not what records have in common, and it would take long.
const MAX_DEFLATED_BYTES: usize = 64 * 1024;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What most records say, the most frequent last. What lies in Redis was deflated with it, so it never changes: a better one is
/// another, with a first byte of its own.
fn dictionary(id: NotificationId, bot: &str) -> String {
    // Of an id of version 7: when it was made.
    let made = Timestamp::from_unix_millis(i64::try_from(id.as_number() >> 80).unwrap_or(0));
    let (tomorrow, seconds) = (made.plus(DAY), made.unix_millis() / 1000);
    format!(
        concat!(
            r#""method":"sendMediaGroup","error_code":429,"reason":"Too Many Requests: retry after ","retry_after":1,"#,
            r#""outcome":"flood_wait","outcome":"transient","outcome":"ambiguous","first_accepted_at":"","send_at":"","#,
            r#""then":[{{"id":"","tags":["],"client":"","parse_mode":"HTML","disable_notification":true,"#,
            r#""reply_parameters":{{"message_id":1,"allow_sending_without_reply":true}},"#,
            r#""reply_markup":{{"inline_keyboard":[[{{"text":"","url":"https://","callback_data":""}}]]}},"#,
            r#""delivery":"at_most_once","lane":"bulk","lane":"urgent","method":"sendDocument","method":"sendPhoto","#,
            r#""params":{{"caption":""}},"media":[{{"field":"photo","kind":"photo","source":{{"blob":{{"sha256":"","#,
            r#""size":1}}}},"filename":"photo.jpg"}}]}},"result":{{"message_id":1,"from":{{"id":1,"is_bot":true,"#,
            r#""first_name":"","username":"bot"}},"chat":{{"id":-100,"title":"","last_name":"","username":"","#,
            r#""type":"supergroup"}},"chat":{{"id":1,"first_name":"","username":"","type":"private"}},"#,
            r#""date":{seconds},"text":"","photo":[{{"file_id":"AgACAgIAAxkDAA","file_unique_id":"AQAD","#,
            r#""file_size":1,"width":90,"height":90}}],"caption":"","entities":[{{"offset":0,"length":1,"type":"url"}}]}},"#,
            r#""updated_at":"{made}"}}{{"notification":{{"v":1,"id":"{id}","bot":"{bot}","chat_id":1,"lane":"normal","#,
            r#""delivery":"at_least_once","call":{{"method":"sendMessage","params":{{"text":""}},"media":[]}},"#,
            r#""accepted_at":"{made}","expires_at":"{tomorrow}","attempts":0}},"status":"sent","attempts":[{{"at":"{made}","#,
            r#""duration_ms":1,"uploaded":true,"uploaded":false,"outcome":"sent"}}],"message_id":1,"file_id":"","#,
            r#""file_id":null,"failure":null,"next_attempt_at":null,"updated_at":"{made}"}}"#
        ),
        id = id,
        bot = bot,
        made = made,
        tomorrow = tomorrow,
        seconds = seconds
    )
}

/// Packs one record after the other.
pub(super) struct Packer(Compress);

impl Packer {
    pub(super) fn new() -> Self {
        Self(Compress::new(Compression::best(), false))
    }

    /// What [`unpack`] makes the record's JSON of.
    pub(super) fn pack(&mut self, record: &Record) -> Vec<u8> {
        let json = serde_json::to_vec(record).expect("domain types have text keys and finite numbers");
        let notification = &record.notification;
        self.deflate(&json, &dictionary(notification.id, notification.bot.as_str())).unwrap_or(json)
    }

    /// Nothing if that would not be shorter.
    fn deflate(&mut self, json: &[u8], dictionary: &str) -> Option<Vec<u8>> {
        if json.len() > MAX_DEFLATED_BYTES {
            return None;
        }
        self.0.reset();
        self.0.set_dictionary(dictionary.as_bytes()).ok()?;
        let mut packed = Vec::with_capacity(json.len());
        packed.push(DEFLATED);
        let status = self.0.compress_vec(json, &mut packed, FlushCompress::Finish).ok()?;
        (status == Status::StreamEnd).then_some(packed)
    }
}

/// The JSON of a record, if that is what was packed for this notification of this bot.
pub(super) fn unpack(packed: Vec<u8>, id: NotificationId, bot: &str) -> Option<Vec<u8>> {
    let Some((&DEFLATED, deflated)) = packed.split_first() else { return Some(packed) };
    let mut stream = Decompress::new(false);
    stream.set_dictionary(dictionary(id, bot).as_bytes()).ok()?;
    let mut json = Vec::with_capacity(MAX_DEFLATED_BYTES);
    let status = stream.decompress_vec(deflated, &mut json, FlushDecompress::Finish).ok()?;
    (status == Status::StreamEnd).then_some(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Attempt, AttemptOutcome, Notification, RecordUpdate, Status as RecordStatus};
    use serde_json::json;

    fn record() -> Record {
        let notification: Notification = serde_json::from_value(json!({
            "v": 1, "id": "019acf3a-7b1c-7d3e-8f21-5a6b7c8d9e0f", "bot": "shop", "chat_id": 987_654_321, "lane": "normal",
            "delivery": "at_least_once",
            "call": {"method": "sendMessage", "params": {"text": "Your order 48213 is ready."}, "media": []},
            "accepted_at": "2025-11-29T10:48:27.680Z", "expires_at": "2025-11-30T10:48:27.680Z", "attempts": 0,
        }))
        .unwrap();
        let at = Timestamp::parse("2025-11-29T10:48:27.912Z").unwrap();
        let attempt = Attempt { outcome: AttemptOutcome::Sent, reason: None, ..Attempt::interrupted(at) };
        let sent = RecordUpdate::of(RecordStatus::Sent, at.plus(Duration::from_millis(183)));
        let mut record = Record::accepted(notification);
        record.apply(RecordUpdate { attempt: Some(attempt), message_id: Some(812_734), ..sent });
        record
    }

    fn read(packed: &[u8], id: NotificationId, bot: &str) -> Option<Record> {
        serde_json::from_slice(&unpack(packed.to_vec(), id, bot)?).ok()
    }

    /// What lies in Redis must be readable by every later version.
    #[test]
    fn what_the_first_version_packed_is_read() {
        let record = record();
        let packed = hex::decode(concat!(
            "01a35dfab0b4303733353136a26d3a890496770af94529c00ad1c4c2c8d05821b318584b26a654ea9191822c0c884b41",
            "1075d448419686461829c880f414636168646e6c429b9462a16760691aa5540b00"
        ));
        let packed = packed.unwrap();
        assert_eq!(read(&packed, record.notification.id, "shop"), Some(record));
    }

    #[test]
    fn one_packer_packs_many_and_what_is_long_is_not_deflated() {
        let mut packer = Packer::new();
        for length in [0, 1, 100, 4_096, MAX_DEFLATED_BYTES - 700, MAX_DEFLATED_BYTES, 3_000_000] {
            let mut record = record();
            // Nothing in it repeats.
            let text: String = (0..length).map(|_| fastrand::alphanumeric()).collect();
            record.notification.call.params.insert("text".to_owned(), text.into());
            let packed = packer.pack(&record);
            assert_eq!(packed[0] == DEFLATED, length < MAX_DEFLATED_BYTES, "{length}");
            assert_eq!(read(&packed, record.notification.id, "shop"), Some(record), "{length}");
        }
    }

    #[test]
    fn what_is_damaged_is_not_read_as_another_record() {
        let record = record();
        let packed = Packer::new().pack(&record);
        let id = record.notification.id;
        for length in 1..packed.len() {
            assert_eq!(read(&packed[..length], id, "shop"), None, "{length} bytes of it");
        }
        assert_eq!(read(b"\x02newer", id, "shop"), None);
    }
}
