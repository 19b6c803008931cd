//! `pixcourier import-recipients`.

mod file;

use super::runtime::block_on;
use super::service_args::ServiceArgs;
use super::service_client::ServiceRejection;
use super::terminal::print_line;
use crate::domain::{Address, Recipient};
use crate::intake::recipients::MAX_BULK_ENTRIES;
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// How many errors are printed; the rest is counted.
const MAX_PRINTED_ERRORS: usize = 50;

#[derive(clap::Args)]
pub struct ImportRecipientsArgs {
    /// CSV whose first line names the columns (number, chat_id, name, group_name, group_admin, bot), or one JSON object
    /// a line with the same names.
    file: PathBuf,
    /// Check the file and send nothing.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    service: ServiceArgs,
    /// As one JSON object: how many recipients, and whether they were imported.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: ImportRecipientsArgs) -> anyhow::Result<ExitCode> {
    let file = std::fs::read(&arguments.file).with_context(|| format!("read {}", arguments.file.display()))?;
    let entries = match file::read(&file) {
        Ok(entries) => entries,
        Err(errors) => {
            errors.iter().take(MAX_PRINTED_ERRORS).for_each(|error| eprintln!("{error}"));
            bail!("nothing was imported, faults in {}: {}", arguments.file.display(), errors.len());
        }
    };
    if arguments.check {
        tell(arguments.json, entries.len(), false);
        return Ok(ExitCode::SUCCESS);
    }
    let client = arguments.service.client()?;
    block_on(async {
        let mut done = 0;
        for batch in entries.chunks(MAX_BULK_ENTRIES) {
            let bodies: Vec<Value> = batch.iter().map(|(_, recipient)| body(recipient)).collect();
            client.register(&bodies).await.map_err(|error| explain(error, batch, done))?;
            done += batch.len();
        }
        tell(arguments.json, done, true);
        Ok(ExitCode::SUCCESS)
    })
}

fn tell(json: bool, recipients: usize, imported: bool) {
    match (json, imported) {
        (true, _) => print_line(json!({"recipients": recipients, "imported": imported})),
        (false, true) => print_line(format_args!("{recipients} recipients imported")),
        (false, false) => print_line(format_args!("{recipients} recipients, nothing is wrong")),
    }
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
    let field = error.downcast_ref::<ServiceRejection>().and_then(|rejection| rejection.field.as_deref());
    let place = field.and_then(|field| field.strip_prefix('[')?.split_once(']')?.0.parse::<usize>().ok());
    let line = place.and_then(|place| batch.get(place)).map(|(line, _)| format!("line {line}, "));
    error.context(format!("{}{done} recipients were imported before", line.unwrap_or_default()))
}
