//! The messenger of all bots: each call goes through the gateway of its bot's kind.

use super::telegram::TelegramMessenger;
use super::whatsmate::WhatsMateMessenger;
use crate::domain::BotName;
use crate::ports::{CallError, Messenger, MessengerRequest, MessengerResponse};
use crate::settings::{Bot, Gateway};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Chooses between Telegram and WhatsMate by the kind of the bot.
pub struct MessengerByKind {
    bots: BTreeMap<BotName, Arc<Bot>>,
    telegram: TelegramMessenger,
    whatsmate: WhatsMateMessenger,
}

impl MessengerByKind {
    /// Over the messengers of both kinds.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(bots: BTreeMap<BotName, Arc<Bot>>) -> Result<Self, reqwest::Error> {
        let telegram = TelegramMessenger::new(bots.clone())?;
        let whatsmate = WhatsMateMessenger::new(bots.clone())?;
        Ok(Self { bots, telegram, whatsmate })
    }
}

#[async_trait]
impl Messenger for MessengerByKind {
    async fn call(&self, request: MessengerRequest) -> Result<MessengerResponse, CallError> {
        match self.bots.get(&request.bot).map(|bot| &bot.gateway) {
            Some(Gateway::WhatsMate(_)) => self.whatsmate.call(request).await,
            _ => self.telegram.call(request).await,
        }
    }
}
