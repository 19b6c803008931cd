//! The registration courier: how people and groups get into the recipient book by themselves.
//!
//! Telegram tells no bot whose chat a phone number is, so each must come and say so (Bot API): a person opens the bot,
//! presses Start and shares their own contact; a group is registered when the bot is added to it, under its title and
//! the number of who created it. Blocks, removals, new titles and migrations are followed.
//!
//! The owner of a bot reads its updates ([`run`]: long polling, or a webhook that it sets); a webhook's updates come to
//! whichever process serves HTTP. [`event`] says what an update means, [`Registrar::handle`] does it. Updates come
//! at least once, and are confirmed only after the book has been written and the answer has been accepted: every step
//! may be repeated, and an answer has an idempotency key made of its update.

mod dispatch;
mod event;
mod groups;
mod people;
mod registrar;
mod replies;
mod telegram_api;
mod updates;

pub use registrar::{Registrar, RegistrationError};
pub use updates::run;
