//! `pixcourier send`.

use super::open_error::NotSentError;
use super::runtime::block_on;
use super::service_args::ServiceArgs;
use super::service_client::{NotificationForm, file_part};
use super::terminal::print_line;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[derive(clap::Args)]
pub struct SendArgs {
    /// The image, or another file.
    file: PathBuf,
    /// What it is sent as: photo, document, animation, video, audio or voice.
    #[arg(long = "as", value_name = "KIND", default_value = "photo")]
    kind: String,
    /// The chat: its number, or @name of a public group or channel.
    #[arg(long, value_name = "CHAT", allow_hyphen_values = true)]
    to: String,
    /// The text below it.
    #[arg(long, allow_hyphen_values = true)]
    caption: Option<String>,
    /// The bot that sends it, if not `default`.
    #[arg(long)]
    bot: Option<String>,
    /// urgent, normal or bulk.
    #[arg(long)]
    priority: Option<String>,
    /// Not before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    send_at: Option<String>,
    /// Send this once, however often it is asked for under this key.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    service: ServiceArgs,
    /// Wait for the outcome, up to --patience; the exit code then says whether it was sent.
    #[arg(long)]
    wait: bool,
    /// How many seconds to wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    patience: u64,
}

pub fn run(arguments: SendArgs) -> anyhow::Result<ExitCode> {
    let client = arguments.service.client()?;
    block_on(async {
        let file = (arguments.kind.clone(), file_part(&arguments.file).await?);
        let accepted = client
            .post(
                NotificationForm { fields: fields(&arguments), file: Some(file) },
                arguments.idempotency_key.as_deref(),
            )
            .await?;
        print_line(accepted.id);
        if !arguments.wait {
            return Ok(ExitCode::SUCCESS);
        }
        let state = client.wait_for_final_state(accepted.id, Duration::from_secs(arguments.patience)).await?;
        let (Some(message), Some(attempt)) = (state.message_id, state.success()) else {
            return Err(NotSentError(state.reason()).into());
        };
        let how = if attempt.uploaded { "uploaded" } else { "by file_id, nothing uploaded" };
        print_line(format_args!("sent as message {message} after {} attempt(s), {how}", state.attempts.len()));
        Ok(ExitCode::SUCCESS)
    })
}

fn fields(arguments: &SendArgs) -> Map<String, Value> {
    let given = [
        ("chat_id", Some(&arguments.to)),
        ("caption", arguments.caption.as_ref()),
        ("bot", arguments.bot.as_ref()),
        ("priority", arguments.priority.as_ref()),
        ("send_at", arguments.send_at.as_ref()),
    ];
    given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?.as_str())))).collect()
}
