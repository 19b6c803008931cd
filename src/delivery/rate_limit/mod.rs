//! Rate limits: when the next message may be sent, as pure counters that are told the time.
//!
//! Telegram allows a bot about 30 messages a second, one a second to a chat, and 20 a minute to a group (Bots FAQ: "My
//! bot is hitting limits, how do I avoid this?"). Two algorithms keep that: [`Gcra`] keeps an average and allows a burst,
//! [`SlidingWindow`] never lets more than so many into any span. [`BotRateLimiter`] and [`ChatRateLimiter`] combine them
//! and obey the flood waits (429 with `retry_after`) by which Telegram asks for more patience; [`Pace`] slows down what was
//! told to wait although it kept to its rate.

mod bot;
mod chat;
mod gcra;
mod pace;
mod sliding_window;

pub use bot::{BOT_SPAN, BotRateLimiter};
pub use chat::{ChatRateLimiter, GROUP_SPAN};
pub use gcra::Gcra;
pub use pace::Pace;
pub use sliding_window::SlidingWindow;
