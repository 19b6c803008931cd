//! The outside world behind the ports. Two engines ([`embedded`]; or [`rabbitmq`], [`redis`] and [`objects`]) and two
//! messengers ([`telegram`], [`whatsmate`]; [`messenger_by_kind`] chooses by the bot). No adapter uses another; what
//! several of them need lies beside them in this folder.

mod http_client;
mod outcome_waiters;
mod upload_tracker;

pub mod embedded;
pub mod objects;
pub mod rabbitmq;
pub mod redis;

pub mod messenger_by_kind;
pub mod telegram;
pub mod whatsmate;
