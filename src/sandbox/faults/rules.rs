//! The rules: which calls meet which fault.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Which requests meet which fault. Of several rules that fire, the oldest is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Which requests.
    #[serde(rename = "match", default)]
    pub matching: FaultMatch,
    /// What happens to them.
    pub fault: InjectedFault,
}

impl FaultRule {
    /// A rule for the next request of a method.
    pub fn next(method: &str, fault: InjectedFault) -> Self {
        Self { matching: FaultMatch { method: Some(method.to_owned()), ..FaultMatch::default() }, fault }
    }

    /// The same, for the next `times` requests; 0 for all.
    pub fn times(mut self, times: u64) -> Self {
        self.matching.times = times;
        self
    }
}

/// Which requests meet a fault; what is left out does not matter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultMatch {
    /// The method, in any case.
    pub method: Option<String>,
    /// The chat.
    pub chat_id: Option<i64>,
    /// The bot's id.
    pub bot: Option<u64>,
    /// The first of the matching requests that meets it, counted from 1.
    pub nth: u64,
    /// How many meet it, 1 unless told; 0 for all from then on.
    pub times: u64,
    /// How likely each of them meets it, 0 to 1.
    pub probability: f64,
}

impl Default for FaultMatch {
    fn default() -> Self {
        Self { method: None, chat_id: None, bot: None, nth: 1, times: 1, probability: 1.0 }
    }
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum InjectedFault {
    /// Any error in the Bot API's JSON; the message is not sent.
    Status {
        /// The HTTP status and `error_code`, 400 to 599.
        code: u16,
        /// Telegram's words, prefix included.
        description: String,
        /// The `parameters` of the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parameters: Option<Map<String, Value>>,
    },
    /// 429; the chat must wait, and what it sends sooner is a violation.
    Flood {
        /// Seconds to wait.
        retry_after: u64,
        /// As it arrives from the upload step: 400, and the number in the text only.
        #[serde(default)]
        as_400: bool,
        /// How long the answer is held back, milliseconds.
        #[serde(default)]
        delay_ms: u64,
    },
    /// 403: the user blocked the bot.
    Blocked,
    /// 400: the group has become a supergroup. Its old id is refused from then on; the new one works.
    Migrated {
        /// The new id.
        to: i64,
    },
    /// 502 with an HTML page, as a proxy answers.
    NotJson,
    /// 413 with an empty body; the connection is closed.
    #[serde(rename = "empty_413")]
    Empty413,
    /// The message is sent, and the connection cut without an answer.
    LostAfter,
    /// The connection is cut before the body is read. Cannot match a chat, which is in the body.
    ResetBefore,
    /// The message is sent, and the connection cut in the middle of the answer.
    CutJson,
    /// The message is sent, and the answer held back.
    Slow {
        /// For how long, milliseconds.
        ms: u64,
    },
    /// No file_id that the bot got up to now is good any more; the request itself is carried out.
    FileIdsForgotten,
    /// 401: the token was revoked.
    Unauthorized,
}
