//! A Bot API of our own to try things against: strict like Telegram's, with its rate limits, its words and, on demand, its
//! faults, and a page in the browser on which the delivered pictures are seen. Nothing leaves the machine.
//!
//! Every positive chat id is a user who has started the bot, every negative one a group (or, from -1000000000000 on, a
//! supergroup) that the bot is in, every `@username` a channel. Some ids are special, so that failures can be seen
//! without preparing a fault; `chats/directory.rs` lists them. Faults are queued over HTTP or with
//! [`Sandbox::add_fault`].
//!
//! Beside the Bot API it has these addresses, each also a method of [`Sandbox`]; bodies and answers are JSON:
//!
//! | address | method | |
//! |---|---|---|
//! | `GET /sandbox/messages?bot=&chat_id=&after=&limit=` | [`Sandbox::messages`] | what was delivered |
//! | `GET /sandbox/stats` | [`Sandbox::stats`] | the counters |
//! | `POST`, `GET`, `DELETE /sandbox/faults` | [`Sandbox::add_fault`], [`Sandbox::clear_faults`] | [`FaultRule`]s |
//! | `POST /sandbox/incoming` | [`Sandbox::incoming`] | what users do: `{"bot": 1001, "text": {"user_id": 7, "text": "/start"}}`, see [`UserAction`] |
//! | `GET /sandbox/inline/{inline_query_id}` | [`Sandbox::inline_answer`] | how an inline query was answered |
//! | `POST /sandbox/reset` | [`Sandbox::reset`] | forgets all but files and numbers |
//!
//! What users do reaches the bot as updates: by `getUpdates`, or by a webhook, which here may be any `http` or `https` URL.
//!
//! The parts, from the top down; each knows only those below it and has a state and a lock of its own, which only
//! `state` brings together:
//!
//! | part | |
//! |---|---|
//! | `lifecycle` | starting and stopping a sandbox |
//! | `server` | the HTTP server: finds the method, lets a fault interfere, delivers to webhooks; `/sandbox/…` |
//! | `methods` | the Bot API's methods, checked as Telegram does |
//! | `state`, `options` | all parts of one sandbox; how it behaves |
//! | `page` | the page in the browser |
//! | `faults` | faults on demand, which meet a call that matches their rule |
//! | `updates` | what users do and the updates and inline queries that this leads to |
//! | `render` | messages as the Bot API shows them |
//! | `content` | the checks of texts and keyboards |
//! | `arguments` | what a call was given: query string, form, JSON or multipart |
//! | `chats` | users, groups and channels, and what the bots are in them |
//! | `files` | the pictures on disk, their file_ids, uploads and downloads |
//! | `limits` | rate limits, in-flight limits, pacing of uploads |
//! | `log` | the messages that were delivered, and the counters |

mod arguments;
mod bounded_map;
mod chats;
mod clock;
mod content;
mod faults;
mod files;
mod lifecycle;
mod limits;
mod locked;
mod log;
mod method_names;
mod methods;
mod options;
mod page;
mod render;
mod sandbox_error;
mod server;
mod state;
mod updates;

pub use faults::{FaultMatch, FaultRule, InjectedFault};
pub use lifecycle::{Sandbox, run};
pub use limits::SandboxLimits;
pub use log::{
    FileKind, MediaOrigin, MessageFilter, SandboxBotStats, SandboxMedia, SandboxMessage, SandboxStats, SandboxThumbnail,
};
pub use options::{SandboxBots, SandboxOptions};
pub use updates::{InlineAnswer, UserAction, UserActionResult};
