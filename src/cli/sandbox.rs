//! `pixcourier sandbox`.

use super::say::say;
use super::{block_on, stop};
use crate::sandbox::{Options, Sandbox};
use crate::telemetry::logs;
use anyhow::Context;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Let any rate pass, instead of answering 429 where Telegram would.
    #[arg(long)]
    no_limits: bool,
}

pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    logs::start("info", crate::settings::LogFormat::Text);
    block_on(async {
        let stop = stop::on_signal()?;
        let listener =
            TcpListener::bind(arguments.listen).with_context(|| format!("listen on {}", arguments.listen))?;
        let sandbox = Sandbox::start(listener, Options { limits: !arguments.no_limits })?;
        say(format_args!(
            "the sandbox is a Bot API on http://{0} and shows what it got on http://{0}/",
            sandbox.addr()
        ));
        stop.cancelled().await;
        sandbox.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}
