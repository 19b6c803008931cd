//! What docs/sandbox.md says of chats and faults.

use super::{ANNE, description, free, photo_form, picture};
use crate::project::manual::read;
use serde_json::{Value, json};

/// The first and the following cells of the rows below a heading, without their backquotes.
fn rows(manual: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, part) =
        manual.split_once(&format!("\n{heading}")).unwrap_or_else(|| panic!("docs/sandbox.md lacks {heading}"));
    let table = part.lines().skip(2).take_while(|line| line.starts_with('|'));
    table
        .map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`').to_owned()).collect())
        .collect()
}

#[tokio::test]
async fn the_special_chats_answer_as_it_says() {
    let api = free();
    let manual = read("docs/sandbox.md");
    let rows = rows(&manual, "| chat_id | status | description |");
    let source = read("src/sandbox/chats/directory.rs");
    let known: Vec<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("//! | ")?.split_once(" | "))
        .map(|(id, _)| id)
        .skip(1)
        .collect();
    assert_eq!(rows.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), known);
    for row in rows {
        let form = photo_form(row[0].parse().unwrap(), "photo.png", picture(1));
        let (status, answer) = api.upload(ANNE, "sendPhoto", form).await;
        assert_eq!((status.as_str(), description(&answer)), (row[1].as_str(), row[2].as_str()), "{}", row[0]);
    }
}

#[tokio::test]
async fn the_faults_can_be_queued_as_it_shows_them() {
    let api = free();
    let manual = read("docs/sandbox.md");
    let rows = rows(&manual, "| `fault` | What happens |");
    assert_eq!(rows.len(), 12);
    for row in rows {
        let fault: Value = serde_json::from_str(&row[0]).unwrap_or_else(|error| panic!("{}: {error}", row[0]));
        assert_eq!(api.queue(json!({"fault": fault})).await, 200, "{}", row[0]);
    }
    assert_eq!(api.control("/sandbox/faults").await["faults"].as_array().unwrap().len(), 12);
    let (_, example) = manual.split_once("/sandbox/faults -d '").unwrap();
    let example: Value = serde_json::from_str(example.split('\'').next().unwrap()).unwrap();
    assert_eq!(api.queue(example).await, 200);
}
