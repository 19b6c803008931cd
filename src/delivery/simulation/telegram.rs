//! Telegram as it is seen from outside: late, now and then away, and strict.

use crate::domain::NotificationId;
use crate::ports::{ApiReply, CallError, MessengerRequest, MessengerResponse};
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How Telegram is for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// It answers.
    Fair,
    /// It answers after seconds, as when it holds a call for a hidden flood wait.
    Slow,
    /// No connection can be made.
    Unreachable,
    /// Requests arrive; half of them have an effect, and the connection is cut before the answer.
    Cut,
    /// It answers with a 5xx, and half of the time has done it.
    Failing,
    /// It asks every third request to wait, each chat for itself.
    Flooding,
    /// It refuses the token.
    Refusing,
}

/// What a request says.
pub struct Request {
    /// The notification, which tests put into a parameter.
    pub id: NotificationId,
    /// Where it goes.
    pub chat: i64,
    /// How long its sender waits.
    pub timeout: Duration,
    /// The file_ids that stand in it.
    file_ids: Vec<String>,
    /// How many messages it makes.
    messages: usize,
    is_album: bool,
}

/// The parameter in which a call carries the number of its notification.
pub const ID_PARAMETER: &str = "simulated_id";

/// What Telegram makes of a request.
pub struct Answer {
    /// The number of the message, if it made one.
    pub message: Option<i64>,
    /// It will never make one.
    pub refused: bool,
    /// How long the chat is to wait.
    pub retry_after: Option<Duration>,
    /// What comes back.
    pub response: Result<MessengerResponse, CallError>,
    /// After which time.
    pub after: Duration,
}

/// Telegram's part of a world.
pub struct TelegramModel {
    weather: Weather,
    /// Chats that have blocked the bot.
    pub blocked: BTreeSet<i64>,
    /// Where groups have moved to.
    pub migrated: BTreeMap<i64, i64>,
    file_ids: BTreeSet<String>,
    numbers: i64,
}

impl Default for TelegramModel {
    fn default() -> Self {
        let (blocked, migrated, file_ids) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        Self { weather: Weather::Fair, blocked, migrated, file_ids, numbers: 0 }
    }
}

impl Request {
    /// Reads a request.
    pub fn read(request: &MessengerRequest) -> Self {
        let params = &request.params;
        let number = params.get(ID_PARAMETER).and_then(Value::as_str).and_then(|id| id.parse().ok());
        let items = params.get("media").and_then(Value::as_array);
        let media = items.into_iter().flatten().filter_map(|item| item.get("media")).chain(params.get("photo"));
        let names = media.filter_map(Value::as_str).filter(|name| !name.starts_with("attach://"));
        Self {
            id: number.expect("every simulated call carries the number of its notification"),
            chat: params.get("chat_id").and_then(Value::as_i64).unwrap_or_default(),
            timeout: request.timeout,
            file_ids: names.map(str::to_owned).collect(),
            messages: items.map_or(1, Vec::len),
            is_album: items.is_some(),
        }
    }
}

impl TelegramModel {
    /// Changes how it is.
    pub fn turn(&mut self, weather: Weather) {
        self.weather = weather;
    }

    /// Whether a connection can be made.
    pub fn is_reachable(&self) -> bool {
        self.weather != Weather::Unreachable
    }

    /// Forgets all file_ids, so that it refuses them.
    pub fn forget_file_ids(&mut self) {
        self.file_ids.clear();
    }

    /// Answers a request that has arrived.
    pub fn answer(&mut self, request: &Request, random: &mut Rng) -> Answer {
        let after = match self.weather {
            Weather::Slow => Duration::from_millis(random.u64(1_000..9_000)),
            _ => Duration::from_millis(random.u64(10..200)),
        };
        let plain = Answer { message: None, refused: false, retry_after: None, response: ok(Value::Null), after };
        match self.weather {
            Weather::Refusing => return Answer { response: error(401, "Unauthorized", None), ..plain },
            Weather::Cut => {
                let message = random.bool().then(|| self.number());
                let after = if random.u8(..10) == 0 { request.timeout } else { after };
                let cut = CallError::MaybeSent("the connection was cut".to_owned());
                return Answer { message, response: Err(cut), after, ..plain };
            }
            Weather::Failing => {
                let message = random.bool().then(|| self.number());
                return Answer { message, response: error(502, "Bad Gateway", None), ..plain };
            }
            Weather::Flooding if random.u8(..3) == 0 => {
                let seconds = [1, 2, 5, 20, 40][random.usize(..5)];
                let words = format!("Too Many Requests: retry after {seconds}");
                let response = error(429, &words, Some(json!({"retry_after": seconds})));
                return Answer { retry_after: Some(Duration::from_secs(seconds)), response, ..plain };
            }
            _ => {}
        }
        if let Some(to) = self.migrated.get(&request.chat) {
            let words = "Bad Request: group chat was upgraded to a supergroup chat";
            return Answer { response: error(400, words, Some(json!({"migrate_to_chat_id": to}))), ..plain };
        }
        if self.blocked.contains(&request.chat) {
            let response = error(403, "Forbidden: bot was blocked by the user", None);
            return Answer { refused: true, response, ..plain };
        }
        if request.file_ids.iter().any(|id| !self.file_ids.contains(id)) {
            let words = "Bad Request: wrong file identifier/HTTP URL specified";
            return Answer { response: error(400, words, None), ..plain };
        }
        self.send(request, plain)
    }

    fn send(&mut self, request: &Request, plain: Answer) -> Answer {
        let messages: Vec<_> = (0..request.messages.max(1))
            .map(|_| {
                let number = self.number();
                let file_id = format!("file-{number}");
                self.file_ids.insert(file_id.clone());
                json!({"message_id": number, "photo": [{"file_id": file_id}]})
            })
            .collect();
        let message = messages[0]["message_id"].as_i64();
        let result = if request.is_album { Value::Array(messages) } else { messages[0].clone() };
        Answer { message, response: ok(result), ..plain }
    }

    fn number(&mut self) -> i64 {
        self.numbers += 1;
        self.numbers
    }
}

fn ok(result: Value) -> Result<MessengerResponse, CallError> {
    let reply = ApiReply { ok: true, result: Some(result), ..ApiReply::default() };
    Ok(MessengerResponse { status: 200, retry_after: None, reply: Some(reply) })
}

fn error(status: u16, words: &str, parameters: Option<Value>) -> Result<MessengerResponse, CallError> {
    let parameters = parameters.and_then(|parameters| parameters.as_object().cloned());
    let description = Some(words.to_owned());
    let reply = ApiReply { error_code: Some(status), description, parameters, ..ApiReply::default() };
    Ok(MessengerResponse { status, retry_after: None, reply: Some(reply) })
}
