//! What the demo sends: a morning at a shop, as its monitoring tells it.

use crate::cli::service_client::NotificationForm;
use crate::domain::{Lane, Timestamp};
use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::multipart::Part;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// One picture for one chat.
pub struct DemoPicture {
    /// The picture's file name.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
    /// Who it is for.
    pub chat: DemoChat,
    /// How urgent it is.
    pub lane: Lane,
    /// How much later than now it is to be sent.
    pub later: Option<Duration>,
    caption: &'static str,
    json: bool,
}

/// A recipient of the demo.
#[derive(Clone, Copy)]
pub enum DemoChat {
    /// Who is on call.
    Ada,
    /// Who is not.
    Ben,
    /// The group they share.
    Team,
}

impl DemoChat {
    /// As the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ada => "Ada (10001)",
            Self::Ben => "Ben (10002)",
            Self::Team => "group -1001000000042",
        }
    }

    fn id(self) -> i64 {
        match self {
            Self::Ada => 10_001,
            Self::Ben => 10_002,
            Self::Team => -1_001_000_000_042,
        }
    }
}

/// All pictures in the order of posting. One picture goes out twice: that second upload should not happen.
pub fn all() -> Vec<DemoPicture> {
    let picture =
        |name, bytes, chat, lane, caption| DemoPicture { name, bytes, chat, lane, later: None, caption, json: false };
    let errors: &[u8] = include_bytes!("assets/error-rate.png");
    let latency: &[u8] = include_bytes!("assets/latency-heatmap.png");
    let queues: &[u8] = include_bytes!("assets/queue-depth.png");
    let coffee: &[u8] = include_bytes!("assets/coffee.jpg");
    let cat: &[u8] = include_bytes!("assets/chelsea.jpg");
    vec![
        picture(
            "error-rate.png",
            errors,
            DemoChat::Ada,
            Lane::Urgent,
            "<b>payments</b>: 5xx rate 5.3 %, threshold 2 %",
        ),
        picture("error-rate.png", errors, DemoChat::Team, Lane::Urgent, "Ada is looking at <b>payments</b>"),
        DemoPicture {
            json: true,
            ..picture(
                "latency-heatmap.png",
                latency,
                DemoChat::Team,
                Lane::Normal,
                "Release 4.18 is slow for half of the requests: <b>rolled back</b>",
            )
        },
        picture("queue-depth.png", queues, DemoChat::Ada, Lane::Normal, "<b>orders</b>: the backlog is gone"),
        picture("coffee.jpg", coffee, DemoChat::Ben, Lane::Bulk, "The new machine is <i>here</i>"),
        DemoPicture {
            json: true,
            later: Some(Duration::from_secs(2)),
            ..picture(
                "chelsea.jpg",
                cat,
                DemoChat::Ben,
                Lane::Normal,
                "Chelsea says: <i>two seconds later, as planned</i>",
            )
        },
    ]
}

impl DemoPicture {
    /// The request that sends it: half of them as multipart, half as JSON with base64.
    pub fn form(&self) -> NotificationForm {
        let mut fields = Map::from_iter([
            ("chat_id".to_owned(), json!(self.chat.id())),
            ("caption".to_owned(), json!(self.caption)),
            ("parse_mode".to_owned(), json!("HTML")),
            ("priority".to_owned(), json!(self.lane.as_str())),
        ]);
        if let Some(later) = self.later {
            fields.insert("send_at".to_owned(), Value::from(Timestamp::now().plus(later).to_string()));
        }
        if self.json {
            fields.insert("photo".to_owned(), json!({ "base64": BASE64_STANDARD.encode(self.bytes) }));
            return NotificationForm { fields, file: None };
        }
        NotificationForm { fields, file: Some(("photo".to_owned(), Part::bytes(self.bytes).file_name(self.name))) }
    }
}
