//! What one caller may upload at a time, and bring in to be kept.

use crate::support::answer::Answer;
use crate::support::api_app::ApiApp;
use crate::support::images::png;
use reqwest::multipart::{Form, Part};

fn form(picture: &[u8]) -> Form {
    Form::new().text("chat_id", "42").part("photo", Part::bytes(picture.to_vec()).file_name("a.png"))
}

impl ApiApp {
    async fn post_picture(&self, picture: &[u8], key: &str) -> Answer {
        Answer::of(self.post().header("Idempotency-Key", key).multipart(form(picture))).await
    }
}

#[tokio::test]
async fn what_is_held_already_counts_once_and_what_was_accepted_may_be_repeated() {
    let app = ApiApp::tuned(|settings| settings.caller_kept = 200_000).await;
    let (first, second) = (png(10, 10, 150_000, 1), png(10, 10, 100_000, 2));
    let id = app.post_picture(&first, "one").await.id();
    for key in ["two", "three"] {
        app.post_picture(&first, key).await.id();
    }
    let refused = app.post_picture(&second, "four").await;
    refused.assert_problem("more than may be kept", 429, "too_much_kept", None);
    assert!(refused.retry_after() > Some(0));
    assert_eq!(app.post_picture(&first, "one").await.id(), id, "a repetition");
    app.stop().await;
}

#[tokio::test]
async fn too_much_at_a_time_is_refused_and_nothing_of_it_stays() {
    let app = ApiApp::tuned(|settings| settings.caller_spool = 100_000).await;
    for number in 0..3 {
        let refused = app.post_picture(&png(10, 10, 150_000, number), "large").await;
        refused.assert_problem("more than at a time", 429, "too_much_in_flight", None);
        app.post_picture(&png(10, 10, 90_000, number), &format!("small {number}").replace(' ', "-")).await.id();
    }
    app.stop().await;
}
