//! `pixcourier healthcheck`.

use super::runtime::block_on;
use super::service_client::{ServiceClient, ServiceReadiness};
use super::terminal::print_line;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct HealthcheckArgs {
    /// The service.
    #[arg(long, env = "PIXCOURIER_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// As `/readyz` has it.
    #[arg(long)]
    json: bool,
}

/// Says what `/readyz` says: the exit code is 0 if a notification would be accepted.
pub fn run(arguments: HealthcheckArgs) -> anyhow::Result<ExitCode> {
    let client = ServiceClient::new(&arguments.url, None)?;
    block_on(async {
        let readiness = client.readiness().await?;
        if arguments.json {
            print_line(serde_json::to_string(&readiness)?);
            return Ok(exit_code(&readiness));
        }
        let away =
            if readiness.away.is_empty() { String::new() } else { format!("; away: {}", readiness.away.join(", ")) };
        print_line(format_args!("{}{away}", readiness.status));
        Ok(exit_code(&readiness))
    })
}

fn exit_code(readiness: &ServiceReadiness) -> ExitCode {
    if readiness.status == "ready" { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
