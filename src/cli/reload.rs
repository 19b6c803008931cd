//! SIGHUP: the configuration is read again, and put into effect without a restart as far as that is possible.

use super::config_args::ConfigArgs;
use super::error::InvalidConfigError;
use crate::app::Reloader;
use crate::settings::{ConfigError, Sources};
use tokio::signal::unix::Signal;

/// Reloads at each signal, one after the other. `started` is what the process was started with.
pub async fn on_each(mut hangups: Signal, configuration: ConfigArgs, started: Sources, reloader: Reloader) {
    while hangups.recv().await.is_some() {
        let configuration = configuration.clone();
        // Files are read; a slow disk must not hold up what else runs here.
        let read = tokio::task::spawn_blocking(move || {
            let sources = configuration.sources().map_err(|InvalidConfigError(errors)| errors)?;
            let settings = sources.load()?;
            Ok::<_, Vec<ConfigError>>((sources, settings))
        });
        let applied = match read.await {
            Ok(Ok((sources, settings))) => reloader.apply(&settings).map(|()| (sources, settings)),
            Ok(Err(errors)) => Err(errors),
            Err(_) => Err(vec![ConfigError::new("the configuration", "could not be read")]),
        };
        match applied {
            Ok((sources, settings)) => {
                tracing::info!("reloaded: API keys, clients and tokens are those of the configuration now");
                let waiting = started.waiting_for_restart(&sources, &reloader.bots_kept(&settings));
                if !waiting.is_empty() {
                    tracing::warn!(
                        keys = waiting.join(", "),
                        "changed in the configuration, and in effect only after a restart"
                    );
                }
            }
            Err(errors) => {
                for error in errors {
                    tracing::error!(at = error.at, problem = error.message, "the configuration is wrong");
                }
                tracing::error!("nothing was reloaded: the service goes on as it was");
            }
        }
    }
}
