//! `pixcourier bench`: it measures everything, and leaves nothing behind however it ends.

use crate::support::program::Program;
use crate::support::wait::{WAIT_TIMEOUT, until_true};
use crate::support::{Rabbit, Redis};
use deadpool_redis::redis;
use pixcourier::bench::ceilings::Ceiling;
use pixcourier::bench::measures::Measure;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Starts it on a folder, with as little to do as possible.
fn bench(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Program::command(&["bench", "--rounds", "1", "--data"]);
    command.arg(folder.path()).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn is_empty(folder: &TempDir) -> bool {
    folder.path().read_dir().unwrap().next().is_none()
}

/// Whether a process has its log in this folder.
fn is_used(folder: &Path) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut logs = processes.filter_map(|process| std::fs::read_link(process.path().join("fd/2")).ok());
    logs.any(|log| log.starts_with(folder))
}

#[test]
fn everything_is_measured_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(&folder, &["--percent", "1"]).output().unwrap();
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{error}");
    let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
    let expect = |what: &str, unit: &str, who: &str, has_ratio: bool| {
        let row = rows.iter().find(|row| row[1..4] == [what, unit, who]);
        let row = row.unwrap_or_else(|| panic!("no row for {what}, {unit}\n{out}"));
        let median: f64 = row[4].replace(',', "").parse().unwrap();
        // Of so little, the kernel may have counted nothing.
        if unit != "ms of processor each" {
            assert!(median > 0.0, "{row:?}");
            assert_eq!(row[6].parse::<f64>().is_ok(), has_ratio, "{row:?}");
        }
    };
    for measure in Measure::ALL {
        for unit in measure.units() {
            expect(measure.name(), unit, "embedded", true);
        }
    }
    for ceiling in Ceiling::ALL.into_iter().filter(|ceiling| *ceiling != Ceiling::Publish) {
        ceiling.units().iter().for_each(|unit| expect(ceiling.name(), unit, "ceiling", false));
        assert!(error.contains(&format!("round 1 of 1: {}, ceiling: ", ceiling.name())), "{error}");
    }
    assert!(is_empty(&folder) && !is_used(folder.path()));
}

#[tokio::test]
async fn a_signal_ends_it_and_what_it_has_started() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = bench(&folder, &[]).spawn().unwrap();
    until_true("a service to run", WAIT_TIMEOUT, async || is_used(folder.path())).await;
    assert!(Command::new("kill").args(["-s", "INT", &running.id().to_string()]).status().unwrap().success());
    let status = running.wait().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(is_empty(&folder) && !is_used(folder.path()));
}

#[tokio::test]
async fn brokers_are_left_as_they_were() {
    let (rabbit, redis, folder) = (Rabbit::launch().await, Redis::launch().await, tempfile::tempdir().unwrap());
    let mut command = bench(&folder, &["--percent", "1", "--json"]);
    command.env("PIXCOURIER_AMQP_URL", rabbit.url()).env("PIXCOURIER_REDIS_URL", redis.url());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["engine"], "RabbitMQ + Redis");
    let row = |what: &str| result["rows"].as_array().unwrap().iter().find(|row| row["what"] == what);
    let publish = Ceiling::Publish.name();
    assert!(row(publish).is_some() && row(Ceiling::CommitGroup.name()).is_none(), "{result}");
    let bound = [publish, Ceiling::HandlerTexts.name()];
    assert!(bound.contains(&row("intake of texts").unwrap()["to"].as_str().unwrap()), "{result}");

    assert_eq!(rabbit.ctl(&["list_queues", "--no-table-headers", "name"]).trim(), "");
    let exchanges = rabbit.ctl(&["list_exchanges", "--no-table-headers", "name"]);
    assert!(!exchanges.contains("bench"), "{exchanges}");
    let mut connection = redis::Client::open(redis.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    assert!(keys.is_empty(), "{keys:?}");
    assert!(is_empty(&folder) && !is_used(folder.path()));
}
