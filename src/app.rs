//! The composition root.

use crate::settings::Settings;
use std::net::TcpListener;

/// What this process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Both.
    All,
    /// Takes notifications.
    Api,
    /// Delivers them.
    Worker,
}

/// (stub)
pub async fn serve(
    _settings: Settings,
    _role: Role,
    _listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    stop.await;
    Ok(())
}
