//! `pixcourier bench`: how fast the service is, beside the ceilings of the machine.

use super::error::InvalidConfigError;
use super::runtime::block_on;
use super::signals;
use super::terminal::print_line;
use crate::bench::ceilings::{Ceiling, Ceilings, handler};
use crate::bench::effort::Effort;
use crate::bench::measures::Measure;
use crate::bench::subject::{Pixcourier, Subject, temporary_folder};
use crate::bench::table::{Comparison, Table, figure};
use crate::settings::environment;
use anyhow::{Context, bail};
use serde_json::json;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

/// How the table names whose a ceiling is.
const CEILING: &str = "ceiling";

#[derive(clap::Args)]
pub struct BenchArgs {
    /// How often everything is measured.
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Do a tenth of it in each round, for a first look.
    #[arg(long)]
    quick: bool,
    /// Below which folder the data lie meanwhile, instead of the present one: on the disk that is to be measured.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    data: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// How many hundredths of everything are done.
    #[arg(long, hide = true, conflicts_with = "quick", value_parser = clap::value_parser!(u16).range(1..=100))]
    percent: Option<u16>,
    /// Serve the bare handler, which is one of the ceilings.
    #[arg(long, hide = true)]
    bare_handler: bool,
}

impl BenchArgs {
    fn effort(&self) -> Effort {
        const QUICK_PERCENT: u16 = 10;
        let whole = if self.quick { QUICK_PERCENT } else { 100 };
        Effort::percent(self.percent.unwrap_or(whole).into())
    }
}

pub fn run(arguments: BenchArgs) -> anyhow::Result<ExitCode> {
    if arguments.bare_handler {
        return block_on(serve_bare_handler());
    }
    let program = std::env::current_exe().context("find this program")?;
    let subject = Pixcourier::new(program.clone(), &environment()).map_err(InvalidConfigError)?;
    block_on(perform(arguments, program, subject))
}

async fn serve_bare_handler() -> anyhow::Result<ExitCode> {
    let stop = signals::stop_on_signal()?;
    let listener = TcpListener::bind("127.0.0.1:0").context("listen")?;
    print_line(format_args!("the bare handler listens on http://{}", listener.local_addr()?));
    handler::serve(listener, stop.cancelled_owned()).await?;
    Ok(ExitCode::SUCCESS)
}

/// However it ends, what was started ends with it: what runs is dropped, and the brokers are cleaned up after that.
async fn perform(arguments: BenchArgs, program: PathBuf, subject: Pixcourier) -> anyhow::Result<ExitCode> {
    let stop = signals::stop_on_signal()?;
    let below = arguments.data.canonicalize().with_context(|| format!("--data {}", arguments.data.display()))?;
    let folder = temporary_folder(&below)?;
    let parts = subject.parts_in(folder.path()).map_err(InvalidConfigError)?;
    let rabbitmq =
        parts.and_then(|parts| Some((parts.amqp_urls.first()?.clone(), format!("{}.bare", parts.namespace))));
    let effort = arguments.effort();
    let ceilings = Ceilings { program, folder: folder.path().to_owned(), rabbitmq, effort };
    let measured = measure(&arguments, &subject, &ceilings, &stop).await;
    let removed = subject.remove_traces().await.and(ceilings.remove_traces().await);
    let removed = removed.and(folder.close().context("remove the data"));
    let removed = removed.inspect_err(|error| eprintln!("pixcourier: something is left behind: {error:#}"));
    print_line(shown(&arguments, &subject, &measured?)?.trim_end());
    Ok(if removed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All rounds, unless a signal comes.
async fn measure(
    arguments: &BenchArgs,
    subject: &Pixcourier,
    ceilings: &Ceilings,
    stop: &CancellationToken,
) -> anyhow::Result<Table> {
    let mut table = Table::default();
    let rounds = async {
        for round in 1..=arguments.rounds {
            let mut note = |what, units: &'static [&'static str], who, taken: Vec<f64>| {
                let values: Vec<_> =
                    taken.iter().zip(units).map(|(v, unit)| format!("{} {unit}", figure(*v))).collect();
                eprintln!("round {round} of {}: {what}, {who}: {}", arguments.rounds, values.join(", "));
                table.add(what, units, who, &taken);
            };
            for measure in Measure::ALL {
                let taken = measure.take(subject, &ceilings.folder, ceilings.effort).await?;
                note(measure.name(), measure.units(), subject.name(), taken);
            }
            for ceiling in ceilings.all() {
                note(ceiling.name(), ceiling.units(), CEILING, ceilings.take(ceiling).await?);
            }
        }
        anyhow::Ok(())
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => bail!("stopped before everything was measured"),
        done = rounds => done?,
    }
    Ok(table)
}

fn shown(arguments: &BenchArgs, subject: &Pixcourier, table: &Table) -> anyhow::Result<String> {
    let lines: Comparison = table.compare(|row, other| {
        let measure = Measure::ALL.into_iter().find(|measure| measure.name() == row.what);
        let ceiling = Ceiling::ALL.into_iter().find(|ceiling| ceiling.name() == other.what);
        measure.zip(ceiling).is_some_and(|(measure, ceiling)| ceiling.bounds(measure))
    });
    if !arguments.json {
        return Ok(lines.to_string());
    }
    let version = env!("CARGO_PKG_VERSION");
    let all = json!({ "version": version, "engine": subject.name(), "rounds": arguments.rounds, "rows": lines });
    Ok(serde_json::to_string_pretty(&all)?)
}
