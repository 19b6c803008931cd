//! `pixcourier healthcheck`.

use super::runtime::block_on;
use super::service_client::ServiceClient;
use super::terminal::print_line;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct HealthcheckArgs {
    /// The service.
    #[arg(long, env = "PIXCOURIER_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
}

/// Says what `/readyz` says: the exit code is 0 if a notification would be accepted.
pub fn run(arguments: HealthcheckArgs) -> anyhow::Result<ExitCode> {
    let client = ServiceClient::new(&arguments.url, None)?;
    block_on(async {
        let readiness = client.readiness().await?;
        let away =
            if readiness.away.is_empty() { String::new() } else { format!("; away: {}", readiness.away.join(", ")) };
        print_line(format_args!("{}{away}", readiness.status));
        Ok(if readiness.status == "ready" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}
