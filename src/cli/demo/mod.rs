//! `pixcourier demo`: the sandbox, the service on the embedded engine, and a few pictures on their way.

mod parcels;
mod report;

use super::client::Client;
use super::say::{Style, say};
use super::{Misconfigured, block_on, stop};
use crate::app::{self, Role};
use crate::sandbox::{Sandbox, SandboxOptions};
use crate::settings::{Flags, LogFormat, Settings, environment, load};
use crate::telemetry::logs;
use anyhow::{Context, anyhow};
use report::Report;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub struct Arguments {
    /// End when everything is sent, instead of at Ctrl-C. The exit code says whether all went as it should.
    #[arg(long)]
    exit: bool,
    /// Where the service listens; a loopback address.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    listen: String,
    /// Where the sandbox listens.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    sandbox_listen: SocketAddr,
}

pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let filter = environment().remove("PIXCOURIER_LOG").unwrap_or_else(|| "warn".to_owned());
    logs::start(&filter, LogFormat::Text);
    block_on(perform(arguments))
}

/// The service runs beside the show in one task: whichever ends first decides what happens to the other.
async fn perform(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let stop = stop::on_signal()?;
    let folder =
        tempfile::Builder::new().prefix("pixcourier-demo-").tempdir().context("make a folder for the demo's data")?;
    let sandbox = Sandbox::start(bind(arguments.sandbox_listen)?, SandboxOptions::default())?;
    let settings = settings(arguments.listen, folder.path(), sandbox.addr())?;
    let listener = bind(settings.listen)?;
    let service_at = listener.local_addr()?;
    let mut service = pin!(app::serve(settings, Role::All, listener, stop.clone().cancelled_owned()));

    let shown = tokio::select! {
        ended = &mut service => Err(ended.err().unwrap_or_else(|| anyhow!("stopped before everything was sent"))),
        shown = show(service_at, &sandbox) => shown,
    };
    if shown.is_ok() && !arguments.exit {
        say("Ctrl-C ends the demo.");
        tokio::select! {
            ended = &mut service => return ended.map(|()| ExitCode::SUCCESS),
            () = stop.cancelled() => {}
        }
    }
    if !stop.is_cancelled() || shown.is_ok() {
        stop.cancel();
        service.await?;
    }
    sandbox.stop().await;
    shown
}

/// Posts everything, follows each to its end, and says whether all went as it should.
async fn show(service: SocketAddr, sandbox: &Sandbox) -> anyhow::Result<ExitCode> {
    const PATIENCE: Duration = Duration::from_secs(60);
    let style = Style::detect();
    let client = Client::new(&format!("http://{service}"), None)?;
    let mut report = Report::new(style);
    report.heading();
    let began = Instant::now();
    let mut posted = Vec::new();
    for parcel in parcels::all() {
        let asked = Instant::now();
        let accepted = client.post(parcel.pack(), None).await.with_context(|| format!("post {}", parcel.name))?;
        posted.push((parcel, accepted.id, asked.elapsed()));
    }
    for (parcel, id, accepted_in) in posted {
        report.row(&parcel, accepted_in, client.final_fate(id, PATIENCE).await?);
    }
    report.summary(began.elapsed());
    say("");
    for (what, address) in [
        ("the pictures, as delivered", format!("{}/", sandbox.url())),
        ("the service, to try it", format!("http://{service}/docs")),
        ("what became of each", format!("http://{service}/v1/notifications")),
        ("its metrics", format!("http://{service}/metrics")),
    ] {
        say(format_args!("  {what:<28}{}", style.bold(&address)));
    }
    say("");
    Ok(if report.verdict(&sandbox.stats()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("listen on {address}"))
}

/// Settings through the front door, so that the demo cannot run on what `serve` would refuse.
fn settings(listen: String, folder: &Path, sandbox: SocketAddr) -> Result<Settings, Misconfigured> {
    const TOKEN: &str = "100001:demo-demo-demo-demo-demo-demo-demo";
    let env = BTreeMap::from([
        ("PIXCOURIER_DATA_DIR".to_owned(), folder.display().to_string()),
        ("PIXCOURIER_BOT_API_URL".to_owned(), format!("http://{sandbox}")),
        ("PIXCOURIER_BOT_TOKEN".to_owned(), TOKEN.to_owned()),
    ]);
    load(None, &env, &Flags { listen: Some(listen) }).map_err(Misconfigured)
}
