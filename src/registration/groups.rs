//! Groups: the bot is added and removed, titles change, groups move.

use super::registrar::{Registrar, RegistrationError};
use super::replies::BotReply;
use crate::domain::{
    Address, ChatId, GroupName, PendingGroup, PhoneNumber, Recipient, RecipientSource, RecipientState, Timestamp,
};

impl Registrar {
    /// The bot is in a group: it is registered, or waits until its creator's number is known. A group whose creator has
    /// gone goes by the number of whoever added the bot.
    pub(super) async fn joined(&self, update: i64, chat: i64, title: &str, by: i64) -> Result<(), RegistrationError> {
        let Some(name) = GroupName::of_title(title) else { return Ok(()) };
        let creator = self.creator_of(chat).await?.unwrap_or(by);
        let group = PendingGroup { bot: self.bot.name.clone(), chat_id: ChatId::Id(chat), name, creator };
        if let Some(number) = self.number_of(creator).await? {
            return self.register_group(update, &group, &number).await;
        }
        if self.book.held_group(&group.bot, &group.chat_id).await?.as_ref() != Some(&group) {
            self.book.hold_group(&group).await?;
            self.count("group_waits");
        }
        let username = self.book.username(&group.bot).await?;
        // Not again when the bot is merely made an administrator.
        self.reply(chat, BotReply::GroupWaits(&group.name, username.as_deref()), &format!("waits:{creator}")).await
    }

    /// Writes a group into the book; if its address leads to another, it waits for a new title.
    pub(super) async fn register_group(
        &self,
        update: i64,
        group: &PendingGroup,
        admin: &PhoneNumber,
    ) -> Result<(), RegistrationError> {
        let address = Address::Group { name: group.name.clone(), admin: admin.clone() };
        let known = self.leads_to(&address, &group.chat_id).await?;
        if known.as_ref().is_some_and(|known| *known != group.chat_id) {
            self.book.hold_group(group).await?;
            self.count("refused");
            return self.reply_in_group(&group.chat_id, BotReply::GroupTaken(&group.name), update).await;
        }
        if known.is_none() {
            // First, so that it is not forgotten when the update has to be repeated.
            self.reply_in_group(&group.chat_id, BotReply::GroupRegistered(&group.name), update).await?;
            self.count("group_registered");
        }
        self.write_group(&group.chat_id, address).await?;
        Ok(self.book.release_group(&group.bot, &group.chat_id).await?)
    }

    /// The bot is no longer in a group.
    pub(super) async fn left(&self, chat: i64) -> Result<(), RegistrationError> {
        if self.book.remove_chat(&self.bot.name, &ChatId::Id(chat)).await? > 0 {
            self.count("group_removed");
        }
        Ok(())
    }

    /// A group has become a supergroup.
    pub(super) async fn moved(&self, from: i64, to: i64) -> Result<(), RegistrationError> {
        if self.book.rekey(&self.bot.name, &ChatId::Id(from), &ChatId::Id(to)).await? > 0 {
            self.count("group_moved");
        }
        Ok(())
    }

    /// A group has another title. What others registered under a name of their own keeps it.
    pub(super) async fn renamed(&self, update: i64, chat: i64, title: &str) -> Result<(), RegistrationError> {
        let (bot, chat_id) = (&self.bot.name, ChatId::Id(chat));
        let Some(new) = GroupName::of_title(title) else { return Ok(()) };
        if let Some(group) = self.book.held_group(bot, &chat_id).await? {
            let group = PendingGroup { name: new, ..group };
            self.book.hold_group(&group).await?;
            // Its former name may have been taken.
            if let Some(number) = self.number_of(group.creator).await? {
                self.register_group(update, &group, &number).await?;
            }
            return Ok(());
        }
        for entry in self.book.of_chat(bot, &chat_id).await? {
            let Address::Group { name, admin } = &entry.address else { continue };
            if entry.source != RecipientSource::Bot || *name == new {
                continue;
            }
            let address = Address::Group { name: new.clone(), admin: admin.clone() };
            if self.leads_to(&address, &chat_id).await?.is_some_and(|other| other != chat_id) {
                self.count("refused");
                self.reply_in_group(&chat_id, BotReply::GroupTaken(&new), update).await?;
                continue;
            }
            self.write_group(&chat_id, address).await?;
            self.book.delete(bot, &entry.address).await?;
            self.count("group_renamed");
        }
        Ok(())
    }

    /// The chat that an address leads to; none if that is another than `ours` and the bot can no longer reach it: a
    /// group whose migration or removal was never heard of must not keep its name for ever.
    async fn leads_to(&self, address: &Address, ours: &ChatId) -> Result<Option<ChatId>, RegistrationError> {
        match self.book.get(&self.bot.name, address).await? {
            Some(entry) if entry.chat_id != *ours && self.is_gone(&entry.chat_id).await? => Ok(None),
            entry => Ok(entry.map(|entry| entry.chat_id)),
        }
    }

    async fn write_group(&self, chat: &ChatId, address: Address) -> Result<(), RegistrationError> {
        let Address::Group { name, .. } = &address else { return Ok(()) };
        let entry = Recipient {
            bot: self.bot.name.clone(),
            name: Some(name.as_str().to_owned()),
            address,
            chat_id: chat.clone(),
            registered_at: Timestamp::now(),
            source: RecipientSource::Bot,
            state: RecipientState::Active,
        };
        Ok(self.book.put(std::slice::from_ref(&entry)).await?)
    }

    async fn reply_in_group(&self, chat: &ChatId, reply: BotReply<'_>, update: i64) -> Result<(), RegistrationError> {
        match chat {
            ChatId::Id(chat) => self.reply(*chat, reply, &update.to_string()).await,
            ChatId::Username(_) => Ok(()),
        }
    }
}
