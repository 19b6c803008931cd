//! The recipient book over HTTP, and filled from a file.

use crate::support::test_app::TestApp;
use pixcourier::domain::{Address, BotName, ChatId, Recipient, RecipientSource, RecipientState, Timestamp};
use pixcourier::intake::recipients::look_up;
use pixcourier::intake::rejection::ProblemCode;
use reqwest::Response;
use serde_json::{Value, json};
use std::process::{Command, Output};
use std::time::Duration;

on_both_engines!(
    entries_are_written_found_listed_and_deleted,
    a_bulk_with_one_fault_writes_nothing,
    what_cannot_be_understood_is_refused_precisely,
    a_file_is_imported_whole_or_told_line_by_line,
);

async fn put(app: &TestApp, body: &Value) -> Response {
    app.client.put(format!("{}/v1/recipients", app.api)).json(body).send().await.unwrap()
}

async fn query(app: &TestApp, query: &[(&str, &str)]) -> Value {
    let answer = app.client.get(app.url("/v1/recipients", query)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

async fn delete(app: &TestApp, query: &[(&str, &str)]) -> Response {
    app.client.delete(app.url("/v1/recipients", query)).send().await.unwrap()
}

async fn problem(answer: Response) -> (u16, String, Option<String>) {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    (status, body["code"].as_str().unwrap().to_owned(), body["field"].as_str().map(str::to_owned))
}

async fn entries_are_written_found_listed_and_deleted(app: &TestApp) {
    let one = put(app, &json!({"number": "+49 170 1234567", "chat_id": 987, "name": "Ada"})).await;
    assert_eq!(one.status(), 200);
    let one = one.json::<Value>().await.unwrap()["recipients"][0].clone();
    assert_eq!(
        (&one["number"], &one["state"], &one["source"]),
        (&json!("491701234567"), &json!("active"), &json!("api"))
    );
    let groups: Vec<Value> = (1..=5)
        .map(|i| json!({"group_name": format!("Shift {}", i / 2), "group_admin": format!("4917012345{i}0"), "chat_id": -i}))
        .collect();
    assert_eq!(put(app, &json!(groups)).await.status(), 200);

    let found = query(app, &[("number", "491701234567")]).await;
    assert_eq!((&found["recipients"], &found["next_cursor"]), (&json!([one]), &Value::Null));
    assert_eq!(query(app, &[("number", "491701234568")]).await["recipients"], json!([]));
    let shift = query(app, &[("group_name", "Shift 1")]).await;
    let chats: Vec<&Value> = shift["recipients"].as_array().unwrap().iter().map(|entry| &entry["chat_id"]).collect();
    assert_eq!(chats, [&json!(-2), &json!(-3)]);
    let exact = query(app, &[("group_name", "Shift 1"), ("group_admin", "+49 1701 234530")]).await;
    assert_eq!(exact["recipients"][0]["chat_id"], -3);

    let (mut seen, mut cursor) = (0, String::new());
    loop {
        let mut asked = vec![("limit", "4")];
        if !cursor.is_empty() {
            asked.push(("cursor", &cursor));
        }
        let page = query(app, &asked).await;
        seen += page["recipients"].as_array().unwrap().len();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, 6);

    let named = [("group_name", "Shift 1"), ("group_admin", "491701234530")];
    assert_eq!(delete(app, &named).await.status(), 204);
    assert_eq!(problem(delete(app, &named).await).await, (404, "recipient_not_found".to_owned(), None));
    assert_eq!(query(app, &[("group_name", "Shift 1")]).await["recipients"].as_array().unwrap().len(), 1);
}

async fn a_bulk_with_one_fault_writes_nothing(app: &TestApp) {
    let bulk = json!([
        {"number": "491701234567", "chat_id": 1},
        {"number": "0170 1234567", "chat_id": 2},
    ]);
    let refused = problem(put(app, &bulk).await).await;
    assert_eq!(refused, (400, "invalid_recipient".to_owned(), Some("[1].number".to_owned())));
    assert_eq!(query(app, &[]).await["recipients"], json!([]));
    let many: Vec<Value> = (0..1000).map(|i| json!({"number": format!("4917{i:06}"), "chat_id": i + 1})).collect();
    assert_eq!(put(app, &json!(many)).await.status(), 200);
    assert_eq!(query(app, &[("limit", "1000")]).await["recipients"].as_array().unwrap().len(), 1000);
}

async fn what_cannot_be_understood_is_refused_precisely(app: &TestApp) {
    for (asked, field) in [
        (vec![("number", "abc")], "number"),
        (vec![("number", "491701234567"), ("group_name", "a")], "number"),
        (vec![("group_admin", "491701234567")], "group_name"),
        (vec![("limit", "0")], "limit"),
        (vec![("cursor", "zz")], "cursor"),
        (vec![("nummer", "1")], "nummer"),
    ] {
        let answer = app.client.get(app.url("/v1/recipients", &asked)).send().await.unwrap();
        assert_eq!(problem(answer).await, (400, "invalid_query".to_owned(), Some(field.to_owned())), "{asked:?}");
    }
    let answer = problem(delete(app, &[("group_name", "a")]).await).await;
    assert_eq!(answer, (400, "invalid_query".to_owned(), Some("group_admin".to_owned())), "a deletion names one");
    assert_eq!(problem(delete(app, &[("bot", "nobody"), ("number", "491701234567")]).await).await.1, "unknown_bot");
    let text = app.client.put(format!("{}/v1/recipients", app.api)).body("number=1").send().await.unwrap();
    assert_eq!(problem(text).await.1, "unsupported_media_type");
}

async fn a_file_is_imported_whole_or_told_line_by_line(app: &TestApp) {
    let import = |text: &str, more: &[&str]| -> Output {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pixcourier"));
        command.env_clear().args(["import-recipients", "--url", &app.api]).arg(file.path()).args(more);
        command.output().unwrap()
    };
    let run = |text: String, more: &'static [&'static str]| {
        let output = tokio::task::block_in_place(|| import(&text, more));
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, _, error) = run("number,chat_id,name\n491701234567,1,Ada\n0170,2,Bob\n".to_owned(), &[]);
    assert_eq!(code, Some(1));
    assert!(error.contains("line 3: number: ") && error.contains("nothing was imported"), "{error}");
    assert_eq!(query(app, &[]).await["recipients"], json!([]));

    let rows: String = (0..1500).map(|i| format!("+4917{i:06},{},Nr. {i}\n", i + 1)).collect();
    let table = format!("number,chat_id,name\n{rows}");
    let (code, out, error) = run(table.clone(), &["--check"]);
    assert_eq!((code, query(app, &[]).await["recipients"].clone()), (Some(0), json!([])), "{out}{error}");
    let (code, out, error) = run(table, &[]);
    assert_eq!((code, out.trim()), (Some(0), "1500 recipients imported"), "{error}");
    let found = query(app, &[("number", "4917001499")]).await["recipients"][0].clone();
    assert_eq!(
        (&found["chat_id"], &found["source"], &found["name"]),
        (&json!(1500), &json!("import"), &json!("Nr. 1499"))
    );

    let (code, _, error) = run(
        "{\"number\":\"15551\",\"chat_id\":1}\n\n{\"number\":\"15552\",\"chat_id\":2,\"bot\":\"nobody\"}\n".to_owned(),
        &[],
    );
    assert_eq!(code, Some(65), "the service refuses it");
    assert!(error.contains("line 3, 0 recipients were imported before") && error.contains("unknown_bot"), "{error}");
}

#[tokio::test]
async fn an_address_is_resolved_or_its_owner_told_how_to_register() {
    let folder = tempfile::tempdir().unwrap();
    let engine = pixcourier::app::open_embedded(folder.path(), Duration::from_secs(86_400)).unwrap();
    let (book, bot) = (engine.ports.recipients.clone(), BotName::default_bot());
    let ada = Address::Number("491701234567".parse().unwrap());
    let unknown = look_up(&*book, &bot, &ada).await.unwrap_err();
    assert_eq!((unknown.code, unknown.field.as_deref()), (ProblemCode::UnregisteredRecipient, Some("recipient")));
    book.introduce(&bot, "plots_bot").await.unwrap();
    let unknown = look_up(&*book, &bot, &ada).await.unwrap_err();
    assert!(unknown.detail.contains("https://t.me/plots_bot"), "{}", unknown.detail);
    let entry = Recipient {
        bot: bot.clone(),
        address: ada.clone(),
        chat_id: ChatId::Id(7),
        name: None,
        registered_at: Timestamp::now(),
        source: RecipientSource::Bot,
        state: RecipientState::Active,
    };
    book.put(&[entry]).await.unwrap();
    assert_eq!(look_up(&*book, &bot, &ada).await, Ok(ChatId::Id(7)));
    book.set_state(&bot, &ChatId::Id(7), RecipientState::Blocked).await.unwrap();
    assert_eq!(look_up(&*book, &bot, &ada).await.unwrap_err().code, ProblemCode::RecipientBlocked);
    engine.close().await;
    assert_eq!(look_up(&*book, &bot, &ada).await.unwrap_err().code, ProblemCode::Unavailable);
}
