//! What a delivery costs the embedded engine: each transaction is written to the disk, and most are waited for.

use crate::support::test_app::{On, TestApp, base64_png};
use pixcourier::adapters::embedded::Embedded;
use serde_json::json;

/// How many transactions have been committed: SQLite counts them in the index of its write-ahead log (`iChange`).
fn committed(app: &TestApp) -> u32 {
    let index = app.settings.data_dir.join(format!("{}-shm", Embedded::DATABASE_FILE));
    let head = std::fs::read(index).expect("the index of the log");
    u32::from_ne_bytes(head[8..12].try_into().expect("four bytes"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_or_a_new_photo_is_accepted_begun_and_ended_in_a_transaction_each() {
    let app = TestApp::start(On::Embedded).await;
    for field in ["text", "photo"] {
        let mut costs = Vec::new();
        for number in 0..8_u32 {
            let content = if field == "photo" { base64_png(number) } else { number.to_string().into() };
            let before = committed(&app);
            let id = app.accept(json!({"chat_id": 1 + number, field: content})).await;
            app.sent(&id).await;
            costs.push(committed(&app) - before);
        }
        // Now and then there is something else to write.
        assert_eq!(costs.iter().min(), Some(&3), "{field}: {costs:?}");
    }
    app.stop().await;
}
