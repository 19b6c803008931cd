//! The recipient book as callers see it: the shapes of its requests and responses.

use crate::domain::{Address, ChatId, Recipient, RecipientSource, RecipientState, Timestamp};
use crate::intake::recipients::MAX_BULK_ENTRIES;
use crate::ports::RecipientPage;
use serde::Serialize;
use utoipa::openapi::schema::ArrayBuilder;
use utoipa::openapi::{OneOfBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// One entry, or up to 1,000 of them; only described, never made.
pub enum RecipientEntries {}

impl PartialSchema for RecipientEntries {
    fn schema() -> RefOr<Schema> {
        let one = || Ref::from_schema_name("RecipientEntry");
        OneOfBuilder::new().item(one()).item(ArrayBuilder::new().items(one()).max_items(Some(MAX_BULK_ENTRIES))).into()
    }
}

impl ToSchema for RecipientEntries {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("RecipientEntry".to_owned(), RecipientEntry::schema()));
    }
}

/// Who leads where: a `number`, or a `group_name` with a `group_admin`, and the chat.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecipientEntry {
    /// The configured bot that knows them.
    #[schema(default = "default", pattern = "^[a-z0-9_-]{1,64}$")]
    bot: Option<String>,
    /// A phone number with its country code; `+`, spaces and the like are taken out.
    #[schema(example = "491701234567")]
    number: Option<String>,
    /// The title of a group.
    #[schema(min_length = 1, max_length = 150)]
    group_name: Option<String>,
    /// The phone number of its admin.
    group_admin: Option<String>,
    /// The chat.
    chat_id: ChatId,
    /// What they are called, for people who read the book.
    #[schema(max_length = 256)]
    name: Option<String>,
    /// `api`, or `import` for what comes from a file.
    source: Option<String>,
}

/// The entries as they were written.
#[derive(Serialize, ToSchema)]
pub struct RecipientList {
    /// In the order of the request.
    pub recipients: Vec<RecipientView>,
}

/// A page of the book.
#[derive(Serialize, ToSchema)]
#[schema(as = RecipientPage)]
pub struct RecipientListing {
    /// Groups by name, then people by number.
    recipients: Vec<RecipientView>,
    /// The `cursor` of the next page, `null` on the last.
    next_cursor: Option<String>,
}

impl From<RecipientPage> for RecipientListing {
    fn from(page: RecipientPage) -> Self {
        Self {
            recipients: page.recipients.into_iter().map(RecipientView::from).collect(),
            next_cursor: page.next.map(|address| hex::encode(address.key())),
        }
    }
}

/// An entry of the book. Members without a value are `null`.
#[derive(Serialize, ToSchema)]
#[schema(as = Recipient)]
pub struct RecipientView {
    /// The bot that knows them.
    bot: String,
    /// The phone number of a person.
    number: Option<String>,
    /// The title of a group.
    group_name: Option<String>,
    /// The phone number of its admin.
    group_admin: Option<String>,
    /// The chat: a number or an @username.
    chat_id: ChatId,
    /// What they are called.
    name: Option<String>,
    /// When the entry was made.
    #[schema(value_type = String, format = DateTime)]
    registered_at: Timestamp,
    /// Who made it.
    source: RecipientSource,
    /// Whether they can be written to.
    state: RecipientState,
}

impl From<Recipient> for RecipientView {
    fn from(recipient: Recipient) -> Self {
        let Recipient { bot, address, chat_id, name, registered_at, source, state } = recipient;
        let (number, group_name, group_admin) = match address {
            Address::Number(number) => (Some(number.into()), None, None),
            Address::Group { name, admin } => (None, Some(name.into()), Some(admin.into())),
        };
        Self { bot: bot.into(), number, group_name, group_admin, chat_id, name, registered_at, source, state }
    }
}
