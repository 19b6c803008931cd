//! The flags of a filter, by the names that the API has for its conditions.

use serde_json::{Map, Value};

#[derive(clap::Args)]
pub struct FilterArgs {
    /// Only these statuses, with commas or given several times.
    #[arg(long, value_delimiter = ',')]
    status: Vec<String>,
    /// Only this bot.
    #[arg(long)]
    bot: Option<String>,
    /// Only what the client of this name has posted.
    #[arg(long)]
    client: Option<String>,
    /// Only this chat: its number, or @name.
    #[arg(long, value_name = "CHAT", allow_hyphen_values = true)]
    to: Option<String>,
    /// Only those with this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Only those whose failure is of this class: recipient, content, request, exhausted, ambiguous or buried.
    #[arg(long)]
    class: Option<String>,
    /// Only those that were taken in then or later (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only those that were taken in before (RFC 3339).
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only those with this text in their reason, in capitals or not.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl FilterArgs {
    /// The conditions that are given, for a query.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let status = (!self.status.is_empty()).then(|| self.status.join(","));
        let given = [
            ("status", &status),
            ("bot", &self.bot),
            ("client", &self.client),
            ("chat_id", &self.to),
            ("tag", &self.tag),
            ("class", &self.class),
            ("since", &self.since),
            ("until", &self.until),
            ("reason", &self.reason),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
    }

    /// The same for a body.
    pub fn members(&self) -> Map<String, Value> {
        self.pairs().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
    }
}
