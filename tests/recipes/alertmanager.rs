//! Alertmanager itself, with the configuration of the document.

use super::post_office::PostOffice;
use super::recipe;
use crate::support::free_port;
use crate::support::prometheus::program;
use crate::support::wait::{WAIT_TIMEOUT, until_true};
use reqwest::Client;
use serde_json::json;
use std::process::{Child, Stdio};

/// Ended with its owner.
struct Alertmanager(Child);

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alertmanager_sends_by_the_bot_api_face() {
    let Some(program) = program("PIXCOURIER_TEST_ALERTMANAGER") else { return };
    let office = PostOffice::open(&[]);
    let settings = office.folder().join("alertmanager.yml");
    std::fs::write(&settings, office.here(&recipe("alertmanager")).replace("group_wait: 30s", "group_wait: 0s"))
        .unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let mut command = office.command(program);
    command.arg(format!("--config.file={}", settings.display()));
    command.arg(format!("--storage.path={}", office.folder().join("data").display()));
    command.args([&format!("--web.listen-address={address}"), "--cluster.listen-address="]);
    let _alertmanager = Alertmanager(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let alert =
        json!([{"labels": {"alertname": "DiskFull", "instance": "db1"}, "annotations": {"summary": "2 % are left"}}]);
    until_true("Alertmanager to take an alert", WAIT_TIMEOUT, async || {
        let posted = Client::new().post(format!("http://{address}/api/v2/alerts")).json(&alert).send().await;
        posted.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
    let message = office.only_message().await;
    let text = message.caption.unwrap();
    assert_eq!(message.chat_id, -1_001_234_567_890);
    assert!(text.contains("DiskFull") && text.contains("2 % are left"), "{text}");
}
