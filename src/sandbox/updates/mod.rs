//! What users do, and how the bots hear of it: updates, inline queries, webhooks.

mod inline_query;
mod perform;
mod queues;
mod user_action;
mod webhook;

pub use inline_query::{FILE_RESULTS, InlineAnswer, InlineQueries};
pub use perform::UserActionRun;
pub use queues::UpdateQueues;
pub use user_action::{UserAction, UserActionResult};
pub use webhook::Webhook;
