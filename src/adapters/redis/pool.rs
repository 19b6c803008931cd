//! A pool of connections to Redis that fails fast and tells no secrets.

use crate::ports::LedgerError;
use deadpool_redis::redis::{
    self, AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, ScriptInvocation,
};
use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime};
use secrecy::{ExposeSecret, SecretString};
use std::future::Future;
use std::time::Duration;

/// Limit for getting a connection, and then for getting an answer. A paused Redis holds nobody longer than twice this.
const REDIS_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections per process. Every command is short, so few serve many.
const MAX_CONNECTIONS: usize = 16;

/// A pool of connections. Connects when first used, so that the process starts while Redis is away.
pub(super) struct RedisPool {
    pool: Pool,
}

impl RedisPool {
    /// Reads the URL; connects to nothing.
    pub(super) fn new(url: &SecretString) -> Result<Self, LedgerError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(REDIS_TIMEOUT))
            .set_response_timeout(Some(REDIS_TIMEOUT));
        let manager = Manager::new_with_config(url.expose_secret(), config).map_err(|_| {
            let reason = "the Redis URL is not understood: redis://[user:password@]host[:port][/database] is";
            LedgerError::Unavailable(reason.to_owned())
        })?;
        let pool = Pool::builder(manager)
            .max_size(MAX_CONNECTIONS)
            .wait_timeout(Some(REDIS_TIMEOUT))
            .create_timeout(Some(REDIS_TIMEOUT))
            .recycle_timeout(Some(REDIS_TIMEOUT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| LedgerError::Unavailable("the connection pool cannot be built".to_owned()))?;
        Ok(Self { pool })
    }

    /// Runs a script, loading it into Redis if it is not there yet.
    pub(super) async fn script<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, LedgerError> {
        let mut connection = self.connection().await?;
        let answer = within_timeout(call.invoke_async(&mut *connection)).await;
        give_back(connection, answer)
    }

    /// Runs a command.
    pub(super) async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, LedgerError> {
        let mut connection = self.connection().await?;
        let answer = within_timeout(command.query_async(&mut *connection)).await;
        give_back(connection, answer)
    }

    /// Runs commands in one round trip.
    pub(super) async fn pipeline<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, LedgerError> {
        let mut connection = self.connection().await?;
        let answer = within_timeout(commands.query_async(&mut *connection)).await;
        give_back(connection, answer)
    }

    /// Closes the connections that nobody uses at the moment.
    pub(super) fn drop_idle(&self) {
        self.pool.retain(|_, _| false);
    }

    /// The pool tests a connection before it hands it out, one broken one after the other, hence the bound round all.
    async fn connection(&self) -> Result<Connection, LedgerError> {
        match tokio::time::timeout(REDIS_TIMEOUT, self.pool.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(PoolError::Backend(error))) => Err(unavailable(&error)),
            Ok(Err(_)) | Err(_) => Err(LedgerError::Unavailable("Redis gives no connection in time".to_owned())),
        }
    }
}

async fn within_timeout<T>(answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    tokio::time::timeout(REDIS_TIMEOUT, answer)
        .await
        .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}

/// Gives a connection back, unless it failed: it may be broken, or lead to a server that is a replica now (`READONLY`)
/// or still reads its data (`LOADING`).
fn give_back<T>(connection: Connection, answer: RedisResult<T>) -> Result<T, LedgerError> {
    answer.map_err(|error| {
        drop(Connection::take(connection));
        unavailable(&error)
    })
}

/// What happened, without the server's own words: they may repeat arguments.
fn unavailable(error: &RedisError) -> LedgerError {
    let reason = match (error.kind(), error.code()) {
        (ErrorKind::Io, _) if error.is_timeout() => "Redis does not answer in time".to_owned(),
        (ErrorKind::Io, _) if error.is_connection_refusal() => "Redis refuses the connection".to_owned(),
        (ErrorKind::Io, _) => "the connection to Redis failed".to_owned(),
        (_, Some(code)) => format!("Redis answers with the error {code}"),
        (_, None) => format!("Redis: {}", error.category()),
    };
    LedgerError::Unavailable(reason)
}

pub(super) fn ping() -> Cmd {
    redis::cmd("PING")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_is_not_understood_is_not_repeated() {
        for bad in ["", "http://:hunter2@host", "redis://:hunter2@host:port", "hunter2"] {
            let error = RedisPool::new(&bad.to_owned().into()).err().unwrap();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_refused_connection_names_neither_host_nor_password() {
        let pool = RedisPool::new(&"redis://:hunter2@127.0.0.1:1".to_owned().into()).unwrap();
        let error = pool.command::<String>(&ping()).await.unwrap_err();
        assert_eq!(error.to_string(), "ledger: Redis refuses the connection");
    }
}
