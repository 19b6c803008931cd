//! Takes a namespace off Redis.

use super::shared_connections::SharedConnections;
use crate::ports::LedgerError;
use deadpool_redis::redis;
use secrecy::SecretString;

/// How many keys Redis looks at in a step.
const STEP_KEYS: usize = 1_000;

/// Deletes every key of the namespace.
///
/// # Errors
/// If Redis does not answer.
pub async fn remove_namespace(url: &SecretString, ca: Option<&str>, namespace: &str) -> Result<(), LedgerError> {
    let connections = SharedConnections::new(url, ca)?;
    let pattern = format!("{namespace}:*");
    let mut cursor = 0_u64;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(STEP_KEYS);
        let (next, keys): (u64, Vec<Vec<u8>>) = connections.command(&scan).await?;
        if !keys.is_empty() {
            connections.command::<()>(redis::cmd("UNLINK").arg(&keys)).await?;
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}
