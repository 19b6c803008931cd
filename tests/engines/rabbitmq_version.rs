//! A RabbitMQ that is too old is told at a start, and asking leaves nothing in its log that looks like a fault.

use crate::support::old_broker::OldBroker;
use crate::support::program::Program;
use crate::support::wait::{self, WAIT_TIMEOUT};
use crate::support::{Rabbit, amqp_url, port_of, redis_url};
use pixcourier::adapters::rabbitmq::RabbitQueue;
use pixcourier::sandbox::{Sandbox, SandboxOptions};
use std::fs::File;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

const TOLD: &str = "RabbitMQ breaks the promise: it is version 3.9.0";

/// What is told of the nodes; and the queue, whose other connections stay until it is dropped.
async fn faults(urls: &[String]) -> (Vec<String>, Arc<RabbitQueue>) {
    let urls = urls.iter().cloned().map(Into::into).collect();
    let queue = RabbitQueue::connect(urls, format!("test-{:08x}", fastrand::u32(..)), Vec::new());
    let told = Mutex::new(Vec::new());
    queue.look_at_versions(|fault| told.lock().unwrap().push(fault)).await;
    (told.into_inner().unwrap(), queue)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_that_is_too_old_is_told_and_none_logs_a_warning() {
    let rabbit = Rabbit::launch().await;
    // Whoever launched it looked whether it answers, and left so.
    let launched = wait::until_ok("the first connection", WAIT_TIMEOUT, async || {
        let log = rabbit.log();
        if log.contains("client unexpectedly closed TCP connection") { Ok(log.len()) } else { Err(log) }
    })
    .await;
    let old = OldBroker::before(rabbit.port()).await;
    let url = old.url(&rabbit.url(), rabbit.port());
    let (told, _queue) = faults(&[rabbit.url()]).await;
    assert_eq!(told, Vec::<String>::new());
    let (told, _queue) = faults(&[rabbit.url(), url.clone(), url]).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("version 3.9.0") && told[0].contains("3.10 or later is needed"), "{told:?}");

    // Four times it was asked, and each time left in order; nobody else has left.
    let log = wait::until_ok("what the node logs", WAIT_TIMEOUT, async || {
        let log = rabbit.log().split_off(launched);
        if log.matches("closing AMQP connection").count() >= 4 { Ok(log) } else { Err(log) }
    })
    .await;
    let closed: Vec<_> = log.lines().filter(|line| line.contains("closing AMQP connection")).collect();
    assert!(closed.len() == 4 && closed.iter().all(|line| line.contains("[info]")), "{closed:#?}");
    let opened = log.lines().filter(|line| line.contains("- pixcourier version") && line.contains("granted access"));
    assert_eq!(opened.count(), 4, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_start_says_that_rabbitmq_is_too_old_if_it_is() {
    let (folder, real) = (tempfile::tempdir().unwrap(), amqp_url());
    let old = OldBroker::before(port_of(&real)).await;
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), SandboxOptions::default()).unwrap();
    let namespace = format!("test-{:08x}", fastrand::u32(..));
    let blobs = format!("file://{}", folder.path().join("blobs").display());
    for (url, is_old) in [(old.url(&real, port_of(&real)), true), (real, false)] {
        let log = folder.path().join("log");
        let environment = [
            ("PIXCOURIER_AMQP_URL", url.as_str()),
            ("PIXCOURIER_REDIS_URL", &redis_url()),
            ("PIXCOURIER_BLOB_URL", &blobs),
            ("PIXCOURIER_NAMESPACE", &namespace),
        ];
        let service = Program::serve(&sandbox.url(), &environment, File::create(&log).unwrap().into());
        let log = wait::until_ok("the version in the log", WAIT_TIMEOUT, async || {
            let log = std::fs::read_to_string(&log).unwrap();
            let is_asked = log.contains("RabbitMQ says its version");
            // It is told right after that, if it is.
            if is_asked && (!is_old || log.contains(TOLD)) { Ok(log) } else { Err(log) }
        })
        .await;
        drop(service);
        let told: Vec<_> = log.lines().filter(|line| line.contains("RabbitMQ breaks the promise")).collect();
        assert_eq!(told.len(), usize::from(is_old), "{log}");
        assert!(told.iter().all(|line| line.contains("ERROR")), "{told:?}");
    }
}
