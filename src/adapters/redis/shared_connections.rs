//! A few connections to Redis that all requests share, fail fast, and tell no secrets.
//!
//! Requests of many tasks go out on one connection one behind the other, without waiting for each other's answers. A pool that
//! lends each connection to one task at a time would test it with a round trip before each request.

use crate::ports::LedgerError;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{
    self, AsyncConnectionConfig, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, FromRedisValue, IntoConnectionInfo,
    Pipeline, RedisError, RedisResult, Script, ScriptInvocation, ServerErrorKind, TlsCertificates, Value,
};
use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime};
use secrecy::{ExposeSecret, SecretString};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Limit for getting a connection, and then for getting an answer. A paused Redis holds nobody longer than twice this.
pub(super) const REDIS_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections per process, so that no long answer holds up all others. They take turns.
const CONNECTIONS: usize = 4;

/// See the module. Connects when first used, so that the process starts while Redis is away.
pub(super) struct SharedConnections {
    /// Makes connections; none is given back to it.
    pool: Pool,
    shared: [Mutex<Shared>; CONNECTIONS],
    turn: AtomicUsize,
}

/// One connection, once there is one.
#[derive(Default)]
struct Shared {
    connection: Option<MultiplexedConnection>,
    /// How many there were before: who finds one broken may mean an earlier one.
    generation: u64,
}

/// A connection that others use as well, and which one it is.
struct Shares {
    connection: MultiplexedConnection,
    place: usize,
    generation: u64,
}

impl SharedConnections {
    /// Reads the URL; connects to nothing. With authorities (PEM) only these are trusted.
    pub(super) fn new(url: &SecretString, ca: Option<&str>) -> Result<Self, LedgerError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(REDIS_TIMEOUT))
            // Each request has one of its own, also where it takes several answers.
            .set_response_timeout(None);
        let manager = address(url, ca).and_then(|address| Manager::new_with_config(address, config)).map_err(|_| {
            let reason = "the Redis URL is not understood: redis://[user:password@]host[:port][/database] is";
            LedgerError::Unavailable(reason.to_owned())
        })?;
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .wait_timeout(Some(REDIS_TIMEOUT))
            .create_timeout(Some(REDIS_TIMEOUT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| LedgerError::Unavailable("the connection pool cannot be built".to_owned()))?;
        Ok(Self { pool, shared: Default::default(), turn: AtomicUsize::new(0) })
    }

    /// Runs a script, loading it into Redis if it is not there yet.
    pub(super) async fn script<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, LedgerError> {
        let mut shares = self.connection().await?;
        let answer = within_timeout(call.invoke_async(&mut shares.connection)).await;
        self.judge(&shares, answer)
    }

    /// Runs an `EVALSHA` of a script that has many answers, loading it into Redis if it is not there yet. The connection is given up if
    /// one of the answers tells of an error.
    pub(super) async fn evalsha(
        &self,
        script: &Script,
        command: &Cmd,
        is_error: impl Fn(&Value) -> bool,
    ) -> Result<Vec<Value>, LedgerError> {
        let mut shares = self.connection().await?;
        let connection = &mut shares.connection;
        let answer = within_timeout(async {
            match command.query_async(connection).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    script.load_async(connection).await?;
                    command.query_async(connection).await
                }
                answer => answer,
            }
        });
        let answers: RedisResult<Vec<Value>> = answer.await;
        if answers.as_ref().is_ok_and(|answers| answers.iter().any(is_error)) {
            self.give_up(&shares);
        }
        self.judge(&shares, answers)
    }

    /// Runs a command.
    pub(super) async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, LedgerError> {
        let mut shares = self.connection().await?;
        let answer = within_timeout(command.query_async(&mut shares.connection)).await;
        self.judge(&shares, answer)
    }

    /// Runs commands in one round trip.
    pub(super) async fn pipeline<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, LedgerError> {
        let mut shares = self.connection().await?;
        let answer = within_timeout(commands.query_async(&mut shares.connection)).await;
        self.judge(&shares, answer)
    }

    /// Lets go of the connections: requests from now on go out on new ones.
    pub(super) fn reconnect(&self) {
        for place in 0..CONNECTIONS {
            self.shared(place).forget();
        }
    }

    async fn connection(&self) -> Result<Shares, LedgerError> {
        let place = self.turn.fetch_add(1, Ordering::Relaxed) % CONNECTIONS;
        if let Some(shares) = self.shared(place).shares(place) {
            return Ok(shares);
        }
        // Apart: it is seldom, and each request would be as large as this.
        Box::pin(self.connect(place)).await
    }

    async fn connect(&self, place: usize) -> Result<Shares, LedgerError> {
        let made = match tokio::time::timeout(REDIS_TIMEOUT, self.pool.get()).await {
            Ok(Ok(made)) => Connection::take(made),
            Ok(Err(PoolError::Backend(error))) => return Err(unavailable(&error)),
            Ok(Err(_)) | Err(_) => {
                return Err(LedgerError::Unavailable("Redis gives no connection in time".to_owned()));
            }
        };
        // Another task may have been quicker.
        let mut shared = self.shared(place);
        shared.connection.get_or_insert(made);
        shared.shares(place).ok_or_else(|| LedgerError::Unavailable("Redis gives no connection".to_owned()))
    }

    fn judge<T>(&self, shares: &Shares, answer: RedisResult<T>) -> Result<T, LedgerError> {
        answer.map_err(|error| {
            self.give_up(shares);
            unavailable(&error)
        })
    }

    /// Gives up a connection that failed: it may be broken, or lead to a server that is a replica now (`READONLY`) or still
    /// reads its data (`LOADING`).
    fn give_up(&self, shares: &Shares) {
        let mut shared = self.shared(shares.place);
        if shared.generation == shares.generation {
            shared.forget();
        }
    }

    fn shared(&self, place: usize) -> MutexGuard<'_, Shared> {
        self.shared[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn shares(&self, place: usize) -> Option<Shares> {
        Some(Shares { connection: self.connection.clone()?, place, generation: self.generation })
    }

    fn forget(&mut self) {
        if self.connection.take().is_some() {
            self.generation += 1;
        }
    }
}

async fn within_timeout<T>(answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    tokio::time::timeout(REDIS_TIMEOUT, answer)
        .await
        .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}

/// There was no answer in time.
pub(super) fn out_of_time() -> LedgerError {
    LedgerError::Unavailable("Redis does not answer in time".to_owned())
}

/// What happened, without the server's own words: they may repeat arguments.
fn unavailable(error: &RedisError) -> LedgerError {
    let reason = match (error.kind(), error.code()) {
        (ErrorKind::Io, _) if error.is_timeout() => return out_of_time(),
        (ErrorKind::Io, _) if error.is_connection_refusal() => "Redis refuses the connection".to_owned(),
        (ErrorKind::Io, _) if is_about_certificate(error) => {
            "the certificate of Redis is not trusted here: name its authority in ca_file".to_owned()
        }
        (ErrorKind::Io, _) => "the connection to Redis failed".to_owned(),
        (ErrorKind::AuthenticationFailed, _) => words_for("WRONGPASS"),
        (_, Some(code)) => words_for(code),
        (_, None) => format!("Redis: {}", error.category()),
    };
    LedgerError::Unavailable(reason)
}

fn is_about_certificate(error: &RedisError) -> bool {
    error.to_string().contains("certificate")
}

/// What the code in front of an error of Redis means here (<https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors>).
pub(super) fn words_for(code: &str) -> String {
    let words = match code {
        "WRONGPASS" | "NOAUTH" => "it refuses the user or password: check redis_url",
        "NOPERM" => "its user lacks rights: docs/operation.md says which are needed",
        "MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN" => "it is a cluster, which is not supported",
        "READONLY" => "it is a replica now",
        "LOADING" => "it still reads its data",
        "MISCONF" => "it cannot write to its disk",
        "OOM" => "its memory is full (maxmemory)",
        _ => return format!("Redis answers with the error {code}"),
    };
    format!("Redis answers with {code}: {words}")
}

fn address(url: &SecretString, ca: Option<&str>) -> RedisResult<ConnectionInfo> {
    let address = url.expose_secret().into_connection_info()?;
    match (address.addr(), ca) {
        (ConnectionAddr::TcpTls { .. }, Some(ca)) => {
            let certificates = TlsCertificates { client_tls: None, root_cert: Some(ca.as_bytes().to_vec()) };
            Ok(redis::Client::build_with_tls(address, certificates)?.get_connection_info().clone())
        }
        _ => Ok(address),
    }
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
            let error = SharedConnections::new(&bad.to_owned().into(), None).err().unwrap();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_refused_connection_names_neither_host_nor_password() {
        let connections = SharedConnections::new(&"redis://:hunter2@127.0.0.1:1".to_owned().into(), None).unwrap();
        let error = connections.command::<String>(&ping()).await.unwrap_err();
        assert_eq!(error.to_string(), "ledger: Redis refuses the connection");
    }
}
