//! People: they start the bot, share their contact, block it and come back.

use super::event::SharedContact;
use super::registrar::{Registrar, RegistrationError};
use super::replies::BotReply;
use crate::domain::{Address, ChatId, PhoneNumber, Recipient, RecipientSource, RecipientState, Timestamp};

impl Registrar {
    /// Somebody wrote. Whoever has not registered is told how: at each `/start`, and on other messages once a day.
    pub(super) async fn wrote(&self, update: i64, user: i64, started: bool) -> Result<(), RegistrationError> {
        let (bot, chat) = (&self.bot.name, ChatId::Id(user));
        if self.book.of_chat(bot, &chat).await?.iter().any(|entry| entry.state == RecipientState::Blocked) {
            // They could not write if they still blocked the bot.
            self.book.set_state(bot, &chat, RecipientState::Active).await?;
        }
        match self.number_of(user).await? {
            Some(number) if started => self.reply(user, BotReply::Known(&number), &update.to_string()).await,
            Some(_) => Ok(()),
            None if started => self.reply(user, BotReply::Welcome, &update.to_string()).await,
            None => self.reply(user, BotReply::Welcome, "hello").await,
        }
    }

    /// Somebody shared a contact.
    pub(super) async fn contact(&self, update: i64, contact: SharedContact) -> Result<(), RegistrationError> {
        let occasion = update.to_string();
        if !contact.own {
            self.count("refused");
            return self.reply(contact.user, BotReply::NotOwn, &occasion).await;
        }
        let Ok(number) = PhoneNumber::normalized(&contact.number) else {
            self.count("refused");
            return self.reply(contact.user, BotReply::NoNumber, &occasion).await;
        };
        self.register(&contact, &number).await?;
        self.count("registered");
        self.reply(contact.user, BotReply::Registered(&number), &occasion).await?;
        for group in self.book.held_groups(&self.bot.name, contact.user).await? {
            self.register_group(update, &group, &number).await?;
        }
        Ok(())
    }

    /// Writes them into the book, and takes out the number that they had before: it may be another's soon.
    async fn register(&self, contact: &SharedContact, number: &PhoneNumber) -> Result<(), RegistrationError> {
        let (bot, chat_id) = (&self.bot.name, ChatId::Id(contact.user));
        let entry = Recipient {
            bot: bot.clone(),
            address: Address::Number(number.clone()),
            chat_id: chat_id.clone(),
            name: contact.name.clone(),
            registered_at: Timestamp::now(),
            source: RecipientSource::Bot,
            state: RecipientState::Active,
        };
        self.book.put(std::slice::from_ref(&entry)).await?;
        for former in self.book.of_chat(bot, &chat_id).await? {
            let shared = former.source == RecipientSource::Bot && matches!(former.address, Address::Number(_));
            if shared && former.address != entry.address {
                self.book.delete(bot, &former.address).await?;
            }
        }
        Ok(())
    }

    /// Somebody blocked the bot, or unblocked it.
    pub(super) async fn blocked(&self, user: i64, blocked: bool) -> Result<(), RegistrationError> {
        let (state, outcome) =
            if blocked { (RecipientState::Blocked, "blocked") } else { (RecipientState::Active, "unblocked") };
        if self.book.set_state(&self.bot.name, &ChatId::Id(user), state).await? > 0 {
            self.count(outcome);
        }
        Ok(())
    }
}
