//! A callback as its caller sees it.

use crate::domain::{CallbackState, Status, Timestamp};
use crate::ports::{Callback, CallbackPage};
use serde::Serialize;
use utoipa::ToSchema;

/// A page of callbacks that are not delivered, highest id first.
#[derive(Serialize, ToSchema)]
#[schema(as = CallbackPage)]
pub struct CallbackPageView {
    /// The callbacks.
    callbacks: Vec<CallbackView>,
    /// The `cursor` of the next page; `null` on the last.
    next_cursor: Option<String>,
}

/// How many callbacks were replayed.
#[derive(Serialize, ToSchema)]
pub struct ReplayedCallbacks {
    /// So many are tried again now.
    pub replayed: usize,
    /// The `cursor` for the next of them; `null` when that were all.
    pub next_cursor: Option<String>,
}

/// A callback that is not delivered (yet). Members without a value are `null`.
#[derive(Serialize, ToSchema)]
#[schema(as = Callback)]
pub struct CallbackView {
    /// Its id, which its receiver gets as `webhook-id`.
    #[schema(example = "01a228f1-405f-7114-8a5b-d2bd8ff1299a-1795253400125-sent")]
    id: String,
    /// Where it stands.
    state: CallbackState,
    /// The notification's id.
    #[schema(format = Uuid)]
    notification: String,
    /// How the notification ended.
    status: Status,
    /// The bot of the notification.
    bot: String,
    /// Who posted it: the name of the client, if its API key has one.
    client: Option<String>,
    /// The receiver, without its query.
    url: String,
    /// When the notification ended.
    #[schema(value_type = String, format = DateTime)]
    ended_at: Timestamp,
    /// How often it was tried, since it was replayed if it was.
    tries: u32,
    /// Why the last try failed.
    error: Option<String>,
    /// When it is tried again, while it is failing.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_try_at: Option<Timestamp>,
}

impl From<CallbackPage> for CallbackPageView {
    fn from(page: CallbackPage) -> Self {
        Self {
            callbacks: page.callbacks.into_iter().map(CallbackView::from).collect(),
            next_cursor: page.next.map(|id| id.to_string()),
        }
    }
}

impl From<Callback> for CallbackView {
    fn from(callback: Callback) -> Self {
        let Callback { event, state, tries, error, next_try_at, .. } = callback;
        Self {
            id: event.id.to_string(),
            state,
            notification: event.id.notification.to_string(),
            status: event.id.status,
            bot: event.bot.into(),
            client: event.client.map(|client| client.to_string()),
            url: event.url.to_string(),
            ended_at: event.ended_at,
            tries,
            error,
            next_try_at,
        }
    }
}
