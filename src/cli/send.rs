//! `pixcourier send`.

use super::error::UsageError;
use super::open_error::NotSentError;
use super::runtime::block_on;
use super::service_args::ServiceArgs;
use super::service_client::{NotificationForm, NotificationState, ServiceClient, file_part};
use super::terminal::print_line;
use crate::domain::NotificationId;
use anyhow::Context;
use reqwest::multipart::Part;
use serde_json::{Map, Value};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// The most that is read from standard input: what Telegram takes of any file (50 MB).
const STDIN_LIMIT_BYTES: usize = 50_000_000;

#[derive(clap::Args)]
pub struct SendArgs {
    /// The image, or another file; `-` is standard input, up to 50 MB.
    #[arg(required_unless_present = "text")]
    file: Option<PathBuf>,
    /// A text, in place of a file.
    #[arg(long, conflicts_with_all = ["file", "caption", "kind", "filename"], allow_hyphen_values = true)]
    text: Option<String>,
    /// What it is sent as: photo, document, animation, video, audio or voice.
    #[arg(long = "as", value_name = "KIND", default_value = "photo")]
    kind: String,
    /// How the file is called, if not as it is here.
    #[arg(long, value_name = "NAME")]
    filename: Option<String>,
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
    /// A label of your own, given back with the status; may be given several times.
    #[arg(long)]
    tag: Vec<String>,
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
    /// As the API has it: what it answers, or with --wait what has become of it.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: SendArgs) -> anyhow::Result<ExitCode> {
    let client = arguments.service.client()?;
    block_on(async {
        let file = match &arguments.file {
            Some(path) => Some((arguments.kind.clone(), part(path, arguments.filename.as_deref()).await?)),
            None => None,
        };
        let form = NotificationForm { fields: fields(&arguments), file };
        let accepted: Value = client.post(form, arguments.idempotency_key.as_deref()).await?;
        let id: NotificationId =
            serde_json::from_value(accepted["id"].clone()).context("the service's answer is strange")?;
        if !arguments.json {
            print_line(id);
        } else if !arguments.wait {
            print_line(&accepted);
        }
        if arguments.wait { follow(&client, id, &arguments).await } else { Ok(ExitCode::SUCCESS) }
    })
}

/// Waits for the outcome.
async fn follow(client: &ServiceClient, id: NotificationId, arguments: &SendArgs) -> anyhow::Result<ExitCode> {
    let ended = client.wait_for_final_state(id, Duration::from_secs(arguments.patience)).await;
    if arguments.json {
        print_line(client.get::<Value>(&format!("/v1/notifications/{id}"), &[]).await?);
    }
    let state: NotificationState = ended?;
    let (Some(message), Some(attempt)) = (state.message_id, state.success()) else {
        return Err(NotSentError(state.reason()).into());
    };
    if !arguments.json {
        let how = match (&arguments.file, attempt.uploaded) {
            (None, _) => "",
            (Some(_), true) => ", uploaded",
            (Some(_), false) => ", by file_id, nothing uploaded",
        };
        print_line(format_args!("sent as message {message} after {} attempt(s){how}", state.attempts.len()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The file as a part of a form.
async fn part(path: &Path, name: Option<&str>) -> anyhow::Result<Part> {
    let part = if path == Path::new("-") { of_stdin()? } else { file_part(path).await? };
    Ok(match name {
        Some(name) => part.file_name(name.to_owned()),
        None => part,
    })
}

/// It is read whole before anything is sent, so that nothing is accepted of what breaks off.
fn of_stdin() -> anyhow::Result<Part> {
    let mut bytes = Vec::new();
    let most = u64::try_from(STDIN_LIMIT_BYTES + 1).unwrap_or(u64::MAX);
    std::io::stdin().lock().take(most).read_to_end(&mut bytes).context("read standard input")?;
    match bytes.len() {
        0 => Err(UsageError("there is nothing on standard input").into()),
        size if size > STDIN_LIMIT_BYTES => {
            Err(UsageError("there are more than 50 MB on standard input, which Telegram takes of no file").into())
        }
        _ => Ok(Part::bytes(bytes).file_name("stdin")),
    }
}

fn fields(arguments: &SendArgs) -> Map<String, Value> {
    let given = [
        ("chat_id", Some(&arguments.to)),
        ("text", arguments.text.as_ref()),
        ("caption", arguments.caption.as_ref()),
        ("bot", arguments.bot.as_ref()),
        ("priority", arguments.priority.as_ref()),
        ("send_at", arguments.send_at.as_ref()),
    ];
    let text = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?.as_str()))));
    let tags = (!arguments.tag.is_empty()).then(|| ("tags".to_owned(), Value::from(arguments.tag.clone())));
    text.chain(tags).collect()
}
