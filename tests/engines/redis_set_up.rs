//! How a Redis is set up: what breaks the promise is told, and why it refuses is too.

use crate::engines::contract::{bot, ledger, media_index, notification};
use crate::support::{Redis, port_of};
use deadpool_redis::redis::{self, aio::MultiplexedConnection};
use pixcourier::adapters::redis::RedisLedger;
use pixcourier::domain::{RecordUpdate, Status, Timestamp};
use pixcourier::ports::Ledger;
use std::sync::Arc;

const NAMESPACE: &str = "set-up";
/// What docs/operation.md says that its user needs.
const RIGHTS: [&str; 7] = ["~set-up:*", "+@read", "+@write", "+@scripting", "+@connection", "+time", "+info"];

async fn connected(server: &Redis) -> MultiplexedConnection {
    let client = redis::Client::open(server.url()).expect("a valid URL");
    client.get_multiplexed_async_connection().await.expect("Redis is there")
}

async fn ask(connection: &mut MultiplexedConnection, words: &[&str]) {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query_async::<()>(connection).await.unwrap_or_else(|error| panic!("{words:?}: {error}"));
}

fn ledger_as(server: &Redis, user: &str) -> Arc<RedisLedger> {
    let url = format!("redis://{user}127.0.0.1:{}/", port_of(&server.url()));
    Arc::new(RedisLedger::new(&url.into(), NAMESPACE).expect("a valid URL"))
}

#[tokio::test]
async fn what_breaks_the_promise_is_told_with_what_to_change() {
    let server = Redis::launch().await;
    let ledger = ledger_as(&server, "");
    assert_eq!(ledger.faults_of_set_up().await.expect("INFO"), Vec::<String>::new());
    let mut connection = connected(&server).await;
    ask(&mut connection, &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await;
    ask(&mut connection, &["CONFIG", "SET", "appendonly", "no"]).await;
    let told = ledger.faults_of_set_up().await.expect("INFO").join("\n");
    assert!(told.contains("set maxmemory-policy noeviction") && told.contains("set appendonly yes"), "{told}");
}

/// The rights that the manual names are enough for everything, and fewer are told as what they are.
#[tokio::test]
async fn a_user_with_the_rights_of_the_manual_is_enough() {
    let server = Redis::launch().await;
    let mut connection = connected(&server).await;
    ask(&mut connection, &[&["ACL", "SETUSER", "courier", "on", ">secret"], &RIGHTS[..]].concat()).await;
    ask(&mut connection, &["ACL", "SETUSER", "poor", "on", ">secret", "~set-up:*", "+@connection"]).await;
    let courier = ledger_as(&server, "courier:secret@");
    assert_eq!(courier.faults_of_set_up().await.expect("INFO"), Vec::<String>::new());
    ledger::suite(courier.clone()).await;
    media_index::suite(courier.clone(), courier).await;

    let manual = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operation.md")).unwrap();
    let written = RIGHTS[1..].join(" ");
    assert!(manual.contains(&written), "docs/operation.md does not name {written}");

    for (user, reason) in [
        ("courier:wrong@", "it refuses the user or password: check redis_url"),
        ("poor:secret@", "its user lacks rights"),
    ] {
        let sent = notification(&bot("set-up"), 1);
        let refused = ledger_as(&server, user).settle(&sent, &RecordUpdate::of(Status::Sent, Timestamp::now())).await;
        let told = refused.expect_err("refused").to_string();
        assert!(told.contains(reason) && !told.contains("secret") && !told.contains("wrong"), "{told}");
    }
}
