//! The Bot API face: what clients of Telegram's Bot API are answered.

mod call_memory;
pub mod clients;
mod differential;
mod documentation;
mod field_cases;
mod proxying;
mod queued_calls;
mod stand_ins;
mod waiting;
mod written_requests;
