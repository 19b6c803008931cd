//! The first command of the README.

use crate::process::Process;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

#[tokio::test]
async fn the_demo_ends_well() {
    let began = Instant::now();
    let demo = Process::spawn("demo", &["demo", "--exit"], &BTreeMap::new(), None);
    let (output, log) = (demo.output.clone(), demo.log.clone());
    let status = demo.end(Duration::from_secs(60)).await;
    let said = std::fs::read_to_string(output).unwrap();
    println!("demo --exit: {status} after {:.1} s", began.elapsed().as_secs_f64());
    assert!(status.success(), "{status}\n{said}\n{}", std::fs::read_to_string(log).unwrap());
}
