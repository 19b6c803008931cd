//! `pixcourier bots`, `pause` and `resume`: what each bot has to send, and what of it shall wait.

use super::error::UsageError;
use super::runtime::block_on;
use super::service_args::ServiceArgs;
use super::terminal::print_line;
use crate::domain::{BotName, ChatId, Pause};
use serde_json::{Map, Value};
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct BotsArgs {
    /// List the chats of this bot with the most to be sent, in place of the bots.
    bot: Option<BotName>,
    /// Of a bot: at most so many chats.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
    /// As the API has it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

#[derive(clap::Args)]
pub struct PauseArgs {
    /// The bot.
    bot: BotName,
    /// Only this chat of it: a number or an @username.
    #[arg(long, allow_hyphen_values = true)]
    chat: Option<ChatId>,
    /// Why: one line, for who looks at it later.
    #[arg(long)]
    reason: Option<String>,
    /// As the API has it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

#[derive(clap::Args)]
pub struct ResumeArgs {
    /// The bot.
    bot: BotName,
    /// Only this chat of it: a number or an @username.
    #[arg(long, allow_hyphen_values = true)]
    chat: Option<ChatId>,
    /// As the API has it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

/// Lists the bots, or the deepest chats of one.
pub fn list(arguments: BotsArgs) -> anyhow::Result<ExitCode> {
    let client = arguments.service.client()?;
    block_on(async move {
        let found: Value = match &arguments.bot {
            None => client.get("/v1/bots", &[]).await?,
            Some(bot) => {
                client.get(&format!("/v1/bots/{bot}/chats"), &[("limit", arguments.limit.to_string())]).await?
            }
        };
        if arguments.json {
            print_line(&found);
        } else if arguments.bot.is_some() {
            print_chats(&found);
        } else {
            found["bots"].as_array().into_iter().flatten().for_each(|bot| print_line(bot_line(bot)));
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Pauses a bot or a chat.
pub fn pause(arguments: PauseArgs) -> anyhow::Result<ExitCode> {
    let mut body = Map::new();
    if let Some(reason) = arguments.reason {
        Pause::check_reason(&reason).map_err(|_| UsageError("--reason is one line of 1 to 500 bytes"))?;
        body.insert("reason".to_owned(), reason.into());
    }
    steer("pause", &arguments.bot, arguments.chat.as_ref(), &body, arguments.json, &arguments.service)
}

/// Lets a bot or a chat go on.
pub fn resume(arguments: ResumeArgs) -> anyhow::Result<ExitCode> {
    steer("resume", &arguments.bot, arguments.chat.as_ref(), &Map::new(), arguments.json, &arguments.service)
}

fn steer(
    verb: &str,
    bot: &BotName,
    chat: Option<&ChatId>,
    body: &Map<String, Value>,
    json: bool,
    service: &ServiceArgs,
) -> anyhow::Result<ExitCode> {
    let client = service.client()?;
    let chat = chat.map(|chat| format!("/chats/{chat}")).unwrap_or_default();
    block_on(async move {
        let state: Value = client.post_json(&format!("/v1/bots/{bot}{chat}/{verb}"), body, None).await?;
        print_line(if json { state.to_string() } else { state_line(&state) });
        Ok(ExitCode::SUCCESS)
    })
}

fn state_line(state: &Value) -> String {
    let chat = match &state["chat_id"] {
        Value::Null => String::new(),
        chat => format!(", chat {}", text(chat)),
    };
    let bot = text(&state["bot"]);
    match &state["paused"] {
        Value::Null => format!("{bot}{chat}: goes on"),
        pause => format!("{bot}{chat}: {}; {} of the bot under way", pause_text(pause), number(&state["sending"])),
    }
}

fn bot_line(bot: &Value) -> String {
    let open = &bot["open"];
    let mut line = format!(
        "{:20}  {:9}  {:>9} to be sent ({} scheduled, {} under way)",
        text(&bot["name"]),
        text(&bot["kind"]),
        number(&open["total"]),
        number(&open["scheduled"]),
        number(&open["sending"]),
    );
    if !bot["paused"].is_null() {
        line += &format!("  {}", pause_text(&bot["paused"]));
    }
    if number(&bot["paused_chats"]) > 0 {
        line += &format!("  {} chats paused", number(&bot["paused_chats"]));
    }
    if bot["breaker_open"] == Value::Bool(true) {
        line += "  Telegram does not answer";
    }
    line
}

fn print_chats(found: &Value) {
    for chat in found["chats"].as_array().into_iter().flatten() {
        let open = &chat["open"];
        let mut line = format!(
            "{:>16}  {:>9} to be sent ({} scheduled, {} under way)  oldest {}",
            text(&chat["chat_id"]),
            number(&open["total"]),
            number(&open["scheduled"]),
            number(&open["sending"]),
            text(&chat["oldest_at"]),
        );
        if !chat["paused"].is_null() {
            line += &format!("  {}", pause_text(&chat["paused"]));
        }
        if let Some(until) = chat["flood_wait_until"].as_str() {
            line += &format!("  flood wait until {until}");
        }
        print_line(line);
    }
    let (open, looked_at) = (number(&found["open"]), number(&found["looked_at"]));
    let note = if looked_at < open { format!(", estimated from {looked_at}") } else { String::new() };
    print_line(format_args!("{open} to be sent in all{note}"));
}

fn pause_text(pause: &Value) -> String {
    let by = pause["client"].as_str().map(|client| format!(" by {client}")).unwrap_or_default();
    // What others have written may hold what a terminal obeys.
    let reason = pause["reason"].as_str().map(|reason| format!(": {}", reason.escape_debug())).unwrap_or_default();
    format!("paused since {}{by}{reason}", text(&pause["since"]))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}
