//! `pixcourier demo`: the sandbox, the service on the embedded engine, and a few pictures on their way.

mod pictures;
mod report;

use super::error::InvalidConfigError;
use super::runtime::block_on;
use super::service_client::{AcceptedResponse, ServiceClient};
use super::signals;
use super::terminal::{TerminalStyle, print_line};
use crate::app::{App, Role};
use crate::sandbox::{Sandbox, SandboxOptions};
use crate::settings::{Flags, LogFormat, Settings, environment, load};
use crate::telemetry::logs;
use anyhow::{Context, anyhow};
use report::DemoReport;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub struct DemoArgs {
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

pub fn run(arguments: DemoArgs) -> anyhow::Result<ExitCode> {
    let filter = environment().remove("PIXCOURIER_LOG").unwrap_or_else(|| "warn".to_owned());
    logs::start(&filter, LogFormat::Text);
    block_on(perform(arguments))
}

/// The service runs beside the show in one task: whichever ends first decides what happens to the other.
async fn perform(arguments: DemoArgs) -> anyhow::Result<ExitCode> {
    let stop = signals::stop_on_signal()?;
    let folder =
        tempfile::Builder::new().prefix("pixcourier-demo-").tempdir().context("make a folder for the demo's data")?;
    let sandbox = Sandbox::start(bind(arguments.sandbox_listen)?, SandboxOptions::default())?;
    let settings = settings(arguments.listen, folder.path(), sandbox.addr())?;
    let listener = bind(settings.listen)?;
    let service_at = listener.local_addr()?;
    let app = App::build(settings, Role::All, listener).await?;
    let mut service = pin!(app.run(stop.clone().cancelled_owned()));

    let shown = tokio::select! {
        ended = &mut service => Err(ended.err().unwrap_or_else(|| anyhow!("stopped before everything was sent"))),
        shown = show(service_at, &sandbox) => shown,
    };
    if shown.is_ok() && !arguments.exit {
        print_addresses(service_at, &sandbox);
        print_line("Ctrl-C ends the demo.");
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
    const DELIVERY_TIMEOUT: Duration = Duration::from_secs(60);
    let client = ServiceClient::new(&format!("http://{service}"), None)?;
    let mut report = DemoReport::new(TerminalStyle::detect());
    report.heading();
    let began = Instant::now();
    let mut posted = Vec::new();
    for picture in pictures::all() {
        let asked = Instant::now();
        let accepted: AcceptedResponse =
            client.post(picture.form(), None).await.with_context(|| format!("post {}", picture.name))?;
        posted.push((picture, accepted.id, asked.elapsed()));
    }
    for (picture, id, accepted_in) in posted {
        report.row(&picture, accepted_in, client.wait_for_final_state(id, DELIVERY_TIMEOUT).await?);
    }
    report.summary(began.elapsed());
    Ok(if report.verdict(&sandbox.stats()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where to look and what to try while it goes on.
fn print_addresses(service: SocketAddr, sandbox: &Sandbox) {
    let style = TerminalStyle::detect();
    print_line("");
    for (what, address) in [
        ("the pictures, as delivered", format!("{}/", sandbox.url())),
        ("the service, to try it", format!("http://{service}/docs")),
        ("what became of each", format!("http://{service}/v1/notifications")),
        ("its metrics", format!("http://{service}/metrics")),
    ] {
        print_line(format_args!("  {what:<28}{}", style.bold(&address)));
    }
    print_line("");
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("listen on {address}"))
}

/// The settings, checked as those of `serve` are.
fn settings(listen: String, folder: &Path, sandbox: SocketAddr) -> Result<Settings, InvalidConfigError> {
    const TOKEN: &str = "100001:demo-demo-demo-demo-demo-demo-demo";
    let env = BTreeMap::from([
        ("PIXCOURIER_DATA_DIR".to_owned(), folder.display().to_string()),
        ("PIXCOURIER_BOT_API_URL".to_owned(), format!("http://{sandbox}")),
        ("PIXCOURIER_BOT_TOKEN".to_owned(), TOKEN.to_owned()),
    ]);
    load(None, &env, &Flags { listen: Some(listen) }).map_err(InvalidConfigError)
}
