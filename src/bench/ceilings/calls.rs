//! Calls of the Bot API by the HTTP client that the service has, with nothing around them.

use crate::bench::load::Post;
use crate::bench::stub::Stub;
use crate::bench::subject::TOKEN;
use anyhow::ensure;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Request};
use serde_json::json;
use std::time::Instant;

/// A client of a Bot API.
pub struct Calls {
    client: Client,
    api: String,
}

impl Calls {
    /// Over HTTP/1.1, as couriers call.
    pub fn new(stub: &Stub) -> reqwest::Result<Self> {
        let client = Client::builder().http1_only().tcp_nodelay(true).no_proxy().build()?;
        Ok(Self { client, api: format!("{}/bot{TOKEN}", stub.url()) })
    }

    /// The call that sends what has this number.
    pub fn prepare(&self, post: Post, number: usize) -> reqwest::Result<Request> {
        let chat_id = number + 1;
        match post {
            Post::Text => {
                let call = self.client.post(format!("{}/sendMessage", self.api));
                call.json(&json!({ "chat_id": chat_id, "text": Post::text(number) })).build()
            }
            Post::Photo => {
                let photo = Part::bytes(Post::photo(number)).file_name("photo.png");
                let form = Form::new().text("chat_id", chat_id.to_string()).part("photo", photo);
                self.client.post(format!("{}/sendPhoto", self.api)).multipart(form).build()
            }
        }
    }

    /// Makes a call and reads its answer.
    pub async fn make(&self, call: Request) -> anyhow::Result<()> {
        let answer = self.client.execute(call).await?;
        ensure!(answer.status().is_success(), "the Bot API answers {}", answer.status());
        answer.bytes().await?;
        Ok(())
    }

    /// How many a second, with so many under way.
    pub async fn rate(&self, post: Post, at_once: usize, count: usize) -> anyhow::Result<f64> {
        let calls = (0..count).map(|number| self.prepare(post, number)).collect::<Result<Vec<_>, _>>()?;
        let began = Instant::now();
        let calling = stream::iter(calls).map(|call| self.make(call)).buffer_unordered(at_once);
        calling.try_collect::<()>().await?;
        Ok(count as f64 / began.elapsed().as_secs_f64())
    }
}
