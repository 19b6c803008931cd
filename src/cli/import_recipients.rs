//! `pixcourier import-recipients`.

mod file;

use crate::cli::block_on;
use crate::cli::client::{Client, Refused};
use crate::cli::say::say;
use crate::cli::send::key;
use crate::domain::{Address, Recipient};
use crate::intake::recipients::MAX_BULK_ENTRIES;
use crate::settings::PREFIX;
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;

/// How many faults are told; the rest is counted.
const TOLD: usize = 50;

#[derive(clap::Args)]
pub struct Arguments {
    /// CSV whose first line names the columns (number, chat_id, name, group_name, group_admin, bot), or one JSON object
    /// a line with the same names.
    file: PathBuf,
    /// Check the file and send nothing.
    #[arg(long)]
    check: bool,
    /// The service.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The environment variable that holds the API key; of several keys in it the first is used.
    #[arg(long, value_name = "VARIABLE", default_value_t = format!("{PREFIX}API_KEYS"))]
    api_key_env: String,
}

pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let file = std::fs::File::open(&arguments.file);
    let file = file.with_context(|| format!("read {}", arguments.file.display()))?;
    let entries = match file::read(BufReader::new(file)) {
        Ok(entries) => entries,
        Err(faults) => {
            faults.iter().take(TOLD).for_each(|fault| eprintln!("{fault}"));
            bail!("nothing was imported, faults in {}: {}", arguments.file.display(), faults.len());
        }
    };
    if arguments.check {
        say(format_args!("{} recipients, nothing is wrong", entries.len()));
        return Ok(ExitCode::SUCCESS);
    }
    let client = Client::new(&arguments.url, key(&arguments.api_key_env))?;
    block_on(async {
        let mut done = 0;
        for batch in entries.chunks(MAX_BULK_ENTRIES) {
            let bodies: Vec<Value> = batch.iter().map(|(_, recipient)| body(recipient)).collect();
            client.register(&bodies).await.map_err(|error| explain(error, batch, done))?;
            done += batch.len();
        }
        say(format_args!("{done} recipients imported"));
        Ok(ExitCode::SUCCESS)
    })
}

fn body(recipient: &Recipient) -> Value {
    let mut body = match &recipient.address {
        Address::Number(number) => json!({"number": number}),
        Address::Group { name, admin } => json!({"group_name": name, "group_admin": admin}),
    };
    body["bot"] = json!(recipient.bot);
    body["chat_id"] = json!(recipient.chat_id);
    body["name"] = json!(recipient.name);
    body["source"] = json!("import");
    body
}

/// Says which line is to blame for a rejection, and how far the import has come.
fn explain(error: anyhow::Error, batch: &[(usize, Recipient)], done: usize) -> anyhow::Error {
    let field = error.downcast_ref::<Refused>().and_then(|refused| refused.field.as_deref());
    let place = field.and_then(|field| field.strip_prefix('[')?.split_once(']')?.0.parse::<usize>().ok());
    let line = place.and_then(|place| batch.get(place)).map(|(line, _)| format!("line {line}, "));
    error.context(format!("{}{done} recipients were imported before", line.unwrap_or_default()))
}
