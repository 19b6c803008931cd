//! `pixcourier chats`.

use super::config_args::ConfigArgs;
use super::runtime::block_on;
use super::terminal::print_line;
use crate::app::chats;
use crate::domain::BotName;
use anyhow::Context;
use serde_json::json;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct ChatsArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The bot, if not `default`.
    #[arg(long, default_value = "default")]
    bot: String,
    /// One JSON object a line: id, kind and name.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: ChatsArgs) -> anyhow::Result<ExitCode> {
    let settings = arguments.config.load()?;
    let bot: BotName = arguments.bot.parse().ok().context("a bot name is 1 to 64 characters of a-z, 0-9, _ and -")?;
    block_on(async move {
        let chats = chats::who_wrote_to(&settings, &bot).await?;
        for chat in &chats {
            let (id, kind, name) = (chat.id, &chat.kind, &chat.name);
            if arguments.json {
                print_line(json!({"id": id, "kind": kind, "name": name}));
            } else {
                print_line(format_args!("{id:>15}  {kind:<10}  {name}"));
            }
        }
        if chats.is_empty() {
            eprintln!(
                "nobody has written to the bot within 24 hours: send it /start in Telegram, or add it to a group, and ask again"
            );
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    })
}
