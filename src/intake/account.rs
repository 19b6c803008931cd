//! What a bot can deliver: one with a WhatsMate account less than one of Telegram's.

use super::rejection::{ProblemCode, Rejection};
use crate::domain::{Call, ChatId, whatsmate};
use crate::settings::Bot;

/// Rejects what a bot that delivers through WhatsMate's gateway cannot send; a bot of Telegram's can send everything.
pub fn check_account(bot: &Bot, chat: &ChatId, call: &Call) -> Result<(), Rejection> {
    let Some(account) = bot.whatsmate() else { return Ok(()) };
    if account.address(chat).is_none() {
        let detail = "This bot delivers through WhatsMate: chat_id is a phone number in digits, or a group that the bot's \
                      settings name, with @ in front.";
        return Err(Rejection::field(ProblemCode::InvalidChatId, "chat_id", detail));
    }
    whatsmate::check(call).map_err(|error| Rejection::field(ProblemCode::InvalidField, error.field, error.detail))
}
