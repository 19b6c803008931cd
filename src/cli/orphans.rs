//! `pixcourier orphans`.

use super::config_args::ConfigArgs;
use super::runtime::block_on;
use super::terminal::print_line;
use crate::app;
use serde_json::json;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct OrphansArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Put those back whose bot has queues again: it is in the configuration, and a process with it has been started.
    #[arg(long)]
    replay: bool,
    /// One JSON object a line: id, bot, lane and whether it was put back, and at the end how many were.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: OrphansArgs) -> anyhow::Result<ExitCode> {
    let settings = arguments.config.load()?;
    block_on(async move {
        let (mut replayed, mut left) = (0_u64, 0_u64);
        let found = |notification: Option<crate::domain::Notification>, put_back: bool| {
            *if put_back { &mut replayed } else { &mut left } += 1;
            if arguments.json {
                let (id, bot) = (notification.as_ref().map(|it| it.id), notification.as_ref().map(|it| &it.bot));
                let lane = notification.as_ref().map(|it| it.lane);
                return print_line(json!({"id": id, "bot": bot, "lane": lane, "put_back": put_back}));
            }
            let what = if put_back { "put back" } else { "orphan" };
            match notification {
                Some(it) => print_line(format_args!("{what} {} of bot {} ({})", it.id, it.bot, it.lane.as_str())),
                None => print_line("orphan that cannot be read"),
            }
        };
        app::orphans::inspect(&settings, arguments.replay, found).await?;
        if arguments.json {
            print_line(json!({"put_back": replayed, "left": left}));
        } else {
            print_line(format_args!("{replayed} put back, {left} left"));
        }
        Ok(ExitCode::SUCCESS)
    })
}
