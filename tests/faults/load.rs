//! Callers of the service: each posts its notifications with an idempotency key and tries again until it is told 202.

use crate::artifacts;
use crate::images::Picture;
use crate::support::answer::Answer;
use reqwest::multipart::{Form, Part};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Longer than any answer may take: what runs into it hangs.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How soon a caller tries again; ruder than `Retry-After` asks for, so that outages are felt.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// One caller's connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
}

/// What to post.
#[derive(Clone)]
pub struct Letter {
    /// Unique: tells the notification in every ledger.
    pub caption: String,
    pub chat: i64,
    pub picture: Picture,
    /// Without one nothing can be tried again safely.
    pub key: Option<String>,
    /// Rather not at all than twice.
    pub at_most_once: bool,
}

impl Letter {
    /// A letter by its number, with a small picture, a key of its own, and the default delivery.
    pub fn new(caption: String, chat: i64, picture: Picture) -> Self {
        Self { key: Some(caption.replace(' ', "-")), caption, chat, picture, at_most_once: false }
    }
}

impl Client {
    pub fn new(port: u16, key: &str) -> Self {
        // Fails only if there is one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build().unwrap();
        Self { http, base: format!("http://127.0.0.1:{port}"), key: key.to_owned() }
    }

    /// The same service, called from another address, each time over a connection of its own.
    pub fn calling_from(&self, address: Ipv4Addr) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).local_address(IpAddr::from(address));
        Self { http: http.pool_max_idle_per_host(0).build().unwrap(), ..self.clone() }
    }

    /// The same service with another API key.
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> reqwest::Result<Answer> {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    pub async fn post(&self, letter: &Letter) -> reqwest::Result<Answer> {
        let size = letter.picture.size() as u64;
        let body = reqwest::Body::wrap_stream(letter.picture.stream());
        self.post_body(letter, Part::stream_with_length(body, size)).await
    }

    /// The same, with the bytes of the picture coming as they will.
    pub async fn post_body(&self, letter: &Letter, photo: Part) -> reqwest::Result<Answer> {
        let mut form = Form::new()
            .text("chat_id", letter.chat.to_string())
            .text("caption", letter.caption.clone())
            .part("photo", photo.file_name("picture.bmp"));
        if letter.at_most_once {
            form = form.text("delivery", "at_most_once");
        }
        let mut request = self.http.post(format!("{}/v1/notifications", self.base)).multipart(form);
        if let Some(key) = &letter.key {
            request = request.header("Idempotency-Key", key);
        }
        self.send(request).await
    }

    /// Posts a notification as JSON.
    pub async fn post_json(&self, notification: &serde_json::Value) -> reqwest::Result<Answer> {
        self.send(self.http.post(format!("{}/v1/notifications", self.base)).json(notification)).await
    }

    /// The same with an idempotency key, and again for as long as it is told that something is away.
    pub async fn post_json_until_taken(&self, notification: &serde_json::Value, key: &str) -> reqwest::Result<Answer> {
        loop {
            let request = self.http.post(format!("{}/v1/notifications", self.base)).json(notification);
            let answer = self.send(request.header("Idempotency-Key", key)).await?;
            if answer.status != 503 {
                return Ok(answer);
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }

    /// Posts JSON to another path.
    pub async fn post_to(&self, path: &str, body: &serde_json::Value) -> reqwest::Result<Answer> {
        self.send(self.http.post(format!("{}{path}", self.base)).json(body)).await
    }

    /// Takes a notification back.
    pub async fn cancel(&self, id: &str) -> reqwest::Result<Answer> {
        self.send(self.http.delete(format!("{}/v1/notifications/{id}", self.base))).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        let answer = Answer::read(request.bearer_auth(&self.key).send().await?).await?;
        if answer.status.as_u16() >= 400 {
            artifacts::note("error-bodies", &answer.text);
        }
        Ok(answer)
    }

    /// The metrics page.
    pub async fn metrics(&self) -> Option<String> {
        let answer = self.get("/metrics").await.ok().filter(|answer| answer.status == 200)?;
        artifacts::note("metrics", &answer.text);
        Some(answer.text)
    }

    /// How much waits in the queue, if that is known.
    pub async fn waiting(&self) -> Option<u64> {
        let page = self.metrics().await?;
        let mut lanes = page.lines().filter(|line| line.starts_with("pixcourier_queue_depth{")).peekable();
        lanes.peek()?;
        lanes.map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).map(|depth| Some(depth? as u64)).sum()
    }
}

/// How much to post and how.
#[derive(Clone, Copy)]
pub struct Plan {
    /// How many notifications at most.
    pub count: u64,
    /// How many callers at once.
    pub clients: usize,
    /// To how many chats; each belongs to one caller, so that it is known in which order its letters were handed in.
    pub chats: u64,
    /// How long each caller rests between two.
    pub rest: Duration,
    /// Whether every second one is rather not to arrive at all than twice.
    pub mixed: bool,
}

/// Callers at work.
pub struct Load {
    shared: Arc<Shared>,
    callers: JoinSet<()>,
}

struct Shared {
    client: Client,
    plan: Plan,
    next: AtomicU64,
    enough: AtomicBool,
    book: Mutex<Book>,
}

/// What the callers know.
#[derive(Clone, Default)]
pub struct Book {
    /// The captions of all that were posted at least once; of a chat's, in the order in which they were handed in.
    pub attempted: Vec<String>,
    /// The ids of those that were answered 202, by caption.
    pub confirmed: BTreeMap<String, String>,
    /// Those that were rather not to arrive at all than twice.
    pub at_most_once: BTreeSet<String>,
    /// Every try.
    pub tries: Vec<Try>,
}

/// One try of one post.
#[derive(Clone, Debug)]
pub struct Try {
    pub began: Instant,
    pub took: Duration,
    /// The status, or what went wrong with the connection.
    pub result: Result<u16, String>,
    pub retry_after: Option<u64>,
}

impl Book {
    /// Notes one that was posted beside the load, by its caption.
    pub fn confirm_text(&mut self, text: String, answer: &Answer) {
        self.attempted.push(text.clone());
        self.confirmed.insert(text, answer.id());
    }

    fn attempt(&mut self, letter: &Letter) {
        self.attempted.push(letter.caption.clone());
        if letter.at_most_once {
            self.at_most_once.insert(letter.caption.clone());
        }
    }

    /// Notes one that was posted beside the load.
    pub fn confirm(&mut self, letter: &Letter, answer: &Answer) {
        let id = answer.id();
        self.attempt(letter);
        self.confirmed.insert(letter.caption.clone(), id);
    }

    /// How many tries were answered with the status.
    pub fn answered(&self, status: u16) -> usize {
        self.tries.iter().filter(|attempt| attempt.result == Ok(status)).count()
    }

    /// How many got no answer.
    pub fn unanswered(&self) -> usize {
        self.tries.iter().filter(|attempt| attempt.result.is_err()).count()
    }

    /// The time that the slowest answer took.
    pub fn slowest(&self) -> Duration {
        self.tries.iter().map(|attempt| attempt.took).max().unwrap_or_default()
    }

    /// The longest time without a 202 in this span.
    pub fn longest_silence(&self, from: Instant, until: Instant) -> Duration {
        let accepted = self.tries.iter().filter(|attempt| attempt.result == Ok(202));
        let mut times: Vec<Instant> = accepted.map(|attempt| attempt.began + attempt.took).collect();
        times.retain(|at| (from..until).contains(at));
        times.extend([from, until]);
        times.sort_unstable();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// Panics if a caller was told anything but 202 or to try again later, or not when.
    pub fn assert_polite(&self) {
        for attempt in &self.tries {
            match attempt.result {
                Ok(202) | Err(_) => {}
                Ok(503) => assert!(attempt.retry_after.is_some(), "a 503 without Retry-After"),
                Ok(other) => panic!("a caller was told {other}: see error-bodies.txt in {:?}", artifacts::folder()),
            }
        }
    }
}

impl Load {
    /// Starts the callers.
    pub fn start(client: &Client, plan: Plan) -> Self {
        let (next, enough, book) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::default());
        let shared = Arc::new(Shared { client: client.clone(), plan, next, enough, book });
        let mut callers = JoinSet::new();
        for caller in 0..plan.clients as u64 {
            callers.spawn(shared.clone().call(caller));
        }
        Self { shared, callers }
    }

    /// Looks into the book.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.shared.book()
    }

    /// Lets every caller finish what it began.
    pub fn enough(&self) {
        self.shared.enough.store(true, Ordering::Relaxed);
    }

    /// Waits until everything that was begun is confirmed.
    pub async fn finish(mut self, timeout: Duration) -> Book {
        let all = async { while self.callers.join_next().await.is_some_and(|ended| ended.is_ok()) {} };
        let in_time = tokio::time::timeout(timeout, all).await.is_ok();
        let book = self.book().clone();
        let (attempted, confirmed) = (book.attempted.len(), book.confirmed.len());
        assert!(in_time, "only {confirmed} of {attempted} were confirmed in {} s", timeout.as_secs());
        book
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    async fn call(self: Arc<Self>, caller: u64) {
        const PICTURES: u64 = 10;
        let own_chats = (caller..self.plan.chats).step_by(self.plan.clients).cycle();
        let mut own_chats = own_chats.map(|chat| 1000 + chat as i64);
        while !self.enough.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.plan.count {
                return;
            }
            let chat = own_chats.next().expect("every caller has a chat");
            let mut letter = Letter::new(format!("letter {number}"), chat, Picture::small(number % PICTURES));
            letter.at_most_once = self.plan.mixed && number % 2 == 1;
            self.book().attempt(&letter);
            while !self.deliver(&letter).await {
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
            // Varied, or all callers who have waited for the same would rest at the same time from then on.
            tokio::time::sleep(self.plan.rest.mul_f64(0.5 + fastrand::f64())).await;
        }
    }

    /// Tries once; says whether it is settled.
    async fn deliver(&self, letter: &Letter) -> bool {
        let began = Instant::now();
        let answer = self.client.post(letter).await;
        let took = began.elapsed();
        let mut book = self.book();
        let (result, retry_after) = match &answer {
            Ok(answer) => (Ok(answer.status.as_u16()), answer.retry_after()),
            Err(error) => (Err(format!("{error:?}")), None),
        };
        book.tries.push(Try { began, took, result, retry_after });
        let Ok(answer) = answer else { return false };
        if answer.status == 202 {
            let id = answer.id();
            book.confirmed.insert(letter.caption.clone(), id);
        }
        !matches!(answer.status.as_u16(), 503 | 507)
    }
}
