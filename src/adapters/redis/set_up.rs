//! How a Redis is set up, as far as the promise depends on it.

use super::ledger::RedisLedger;
use crate::ports::LedgerError;
use deadpool_redis::redis;

/// The oldest Redis that has all commands that are used (`GETEX`, `ZADD GT`, `EXPIRE` in scripts; <https://redis.io/commands>).
const OLDEST_MAJOR: u32 = 7;

impl RedisLedger {
    /// What of its set-up breaks the promise that nothing is lost, each with what to change. Its user may not be allowed to ask
    /// (`+info`); then that alone is told.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn faults_of_set_up(&self) -> Result<Vec<String>, LedgerError> {
        self.probe().await?;
        match self.connections.command::<String>(&redis::cmd("INFO")).await {
            Ok(info) => Ok(faults(&info)),
            Err(LedgerError::Unavailable(reason)) if reason.contains("NOPERM") => {
                Ok(vec!["its user may not ask how it is set up: allow it +info".to_owned()])
            }
            Err(error) => Err(error),
        }
    }
}

fn faults(info: &str) -> Vec<String> {
    let value = |name: &str| {
        let mut lines = info.lines().filter_map(|line| line.trim_end().split_once(':'));
        lines.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    };
    let mut faults = Vec::new();
    let policy = value("maxmemory_policy");
    if !policy.is_empty() && policy != "noeviction" {
        faults.push(format!(
            "its maxmemory-policy is {policy}, so it may forget what was sent: set maxmemory-policy noeviction"
        ));
    }
    if value("aof_enabled") == "0" {
        faults.push(
            "it keeps nothing on disk (appendonly no), so a restart forgets what was sent: set appendonly yes"
                .to_owned(),
        );
    }
    if value("cluster_enabled") == "1" {
        faults.push("it is a cluster, which is not supported: use one primary, with replicas".to_owned());
    }
    if value("redis_mode") == "sentinel" {
        faults.push(
            "it is a Sentinel, which keeps no data: redis_url must lead to the primary that it watches".to_owned(),
        );
    }
    if value("role") == "slave" {
        faults.push("it is a replica, which takes no changes: redis_url must lead to the primary".to_owned());
    }
    let version = value("redis_version");
    if version.split('.').next().and_then(|major| major.parse().ok()).is_some_and(|major: u32| major < OLDEST_MAJOR) {
        faults.push(format!("it is version {version}; {OLDEST_MAJOR} or later is needed"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_up_well_has_no_faults() {
        let well = "# Server\r\nredis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\nrole:master\r\ncluster_enabled:0\r\n";
        assert!(faults(well).is_empty(), "{:?}", faults(well));
        // Valkey 8 says that it is Redis 7.2.4.
        let badly = "redis_version:6.2.6\nmaxmemory_policy:allkeys-lru\naof_enabled:0\nrole:slave\ncluster_enabled:1\n";
        assert_eq!(faults(badly).len(), 5);
        assert!(faults("redis_version:7.0.15\nredis_mode:sentinel\n").concat().contains("lead to the primary"));
    }
}
