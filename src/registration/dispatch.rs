//! What is done about an update.

use super::event::{self, RegistrationEvent};
use super::registrar::{Registrar, RegistrationError};
use serde_json::Value;

impl Registrar {
    /// Does what an update asks for. Harmless to repeat; after an error it must be repeated.
    pub async fn handle(&self, update: &Value) -> Result<(), RegistrationError> {
        let Some((id, event)) = event::read(update) else { return Ok(()) };
        if self.seen().contains(&id) {
            return Ok(());
        }
        match event {
            RegistrationEvent::Wrote { user, started } => self.wrote(id, user, started).await?,
            RegistrationEvent::SharedContact(contact) => self.contact(id, contact).await?,
            RegistrationEvent::Blocked { user, blocked } => self.blocked(user, blocked).await?,
            RegistrationEvent::Joined { chat, title, by } => self.joined(id, chat, &title, by).await?,
            RegistrationEvent::Left { chat } => self.left(chat).await?,
            RegistrationEvent::Moved { from, to } => self.moved(from, to).await?,
            RegistrationEvent::Renamed { chat, title } => self.renamed(id, chat, &title).await?,
        }
        self.seen().put(id, ());
        Ok(())
    }
}
