//! The runtime of a subcommand.

use std::process::ExitCode;
use std::time::Duration;

/// Runs a subcommand on a runtime of its own. Tasks that it leaves behind get a moment to end.
pub fn block_on(task: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(task);
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    done
}
