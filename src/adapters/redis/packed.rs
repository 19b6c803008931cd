//! A record in few bytes: its JSON, deflated with a dictionary of what records have in common, so that little more than the
//! caller's text is left.

use super::record_fields::to_json;
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
        let json = to_json(record).into_bytes();
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
