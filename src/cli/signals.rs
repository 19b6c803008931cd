//! SIGTERM and SIGINT, and SIGHUP.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that the first SIGTERM or SIGINT cancels. The second ends the program at once.
pub fn stop_on_signal() -> std::io::Result<CancellationToken> {
    const INTERRUPTED: i32 = 130;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        for signals in 0.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if signals > 0 {
                std::process::exit(INTERRUPTED);
            }
            stopping.cancel();
        }
    });
    Ok(stop)
}

/// The SIGHUPs from now on; none of them ends the program any more.
pub fn hangups() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}
