//! The Bot API client: [`TelegramMessenger`] makes the couriers' calls, [`TelegramProxy`] is a reverse proxy for
//! everything else. A bot's token is a secret until `api_url` makes a URL of it; no error of this module holds one.

mod api_url;
mod messenger;
mod proxy;

pub use messenger::TelegramMessenger;
pub use proxy::TelegramProxy;
