//! Every bot through its own gateway.

use super::telegram::Telegram;
use super::whatsmate::WhatsMate;
use crate::domain::BotName;
use crate::ports::{CallError, Messenger, MessengerRequest, MessengerResponse};
use crate::settings::{Bot, Gateway};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Dispatches by the kind of the bot.
pub struct Router {
    bots: BTreeMap<BotName, Arc<Bot>>,
    telegram: Telegram,
    whatsmate: WhatsMate,
}

impl Router {
    /// Over the messengers that these bots need.
    pub fn new(bots: BTreeMap<BotName, Arc<Bot>>) -> Result<Self, reqwest::Error> {
        let (telegram, whatsmate) = (Telegram::new(bots.clone())?, WhatsMate::new(bots.clone())?);
        Ok(Self { bots, telegram, whatsmate })
    }
}

#[async_trait]
impl Messenger for Router {
    async fn call(&self, request: MessengerRequest) -> Result<MessengerResponse, CallError> {
        match self.bots.get(&request.bot).map(|bot| &bot.gateway) {
            Some(Gateway::WhatsMate(_)) => self.whatsmate.call(request).await,
            _ => self.telegram.call(request).await,
        }
    }
}
