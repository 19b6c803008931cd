//! A Bot API of our own to try things against: strict like Telegram's, with its limits, its words and, on demand, its
//! faults, and a page in the browser on which the delivered pictures are seen. Nothing leaves the machine.
//!
//! Every positive chat id is a user who has started the bot, every negative one a group (or, from -1000000000000 on, a
//! supergroup) that the bot is in, every `@username` a channel. Some ids are special, so that failures can be seen
//! without preparing a fault; `chats.rs` lists them. Faults are queued over HTTP or with [`Sandbox::add_fault`].
//!
//! Beside the Bot API it has these addresses, each also a method of [`Sandbox`]; bodies and answers are JSON:
//!
//! | address | method | |
//! |---|---|---|
//! | `GET /sandbox/messages?bot=&chat_id=&after=&limit=` | [`Sandbox::messages`] | what was delivered |
//! | `GET /sandbox/stats` | [`Sandbox::stats`] | the counters |
//! | `POST`, `GET`, `DELETE /sandbox/faults` | [`Sandbox::add_fault`], [`Sandbox::clear_faults`] | [`Rule`]s |
//! | `POST /sandbox/incoming` | [`Sandbox::incoming`] | what users do: `{"bot": 1001, "text": {"user_id": 7, "text": "/start"}}`, see [`Incoming`] |
//! | `GET /sandbox/inline/{inline_query_id}` | [`Sandbox::inline_answer`] | how an inline query was answered |
//! | `POST /sandbox/reset` | [`Sandbox::reset`] | forgets all but files and numbers |
//!
//! What users do reaches the bot as updates: by `getUpdates`, or by a webhook, which here may be any `http` or `https` URL.
//!
//! One request goes this way: `server` finds the method and reads the `arguments` (uploads straight to disk), the
//! `faults` may interfere, `methods` check them as Telegram does, `limits` and `pacing` let them through or not, the
//! `log` takes the message and the page is told.

mod arguments;
mod bounded;
mod by_url;
mod call;
mod chats;
mod control;
mod crowd;
mod cut;
mod desk;
mod download;
mod entities;
mod error;
mod faults;
mod file_id;
mod form;
mod incoming;
mod inline;
mod kind;
mod limits;
mod log;
mod markup;
mod media;
mod message;
mod methods;
mod options;
mod pacing;
mod page;
mod render;
mod server;
mod sniff;
mod stats;
mod store;
mod updates;
mod webhook;

pub use desk::Filter;
pub use faults::{Fault, Match, Rule};
pub use incoming::{Incoming, Received};
pub use inline::InlineAnswer;
pub use limits::Limits;
pub use message::{How, Kind, Media, Message, Thumbnail};
pub use options::{Bots, Options};
pub use stats::{BotStats, Stats};

use actix_web::dev::ServerHandle;
use desk::Desk;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use store::Store;
use tempfile::TempDir;
use tokio::sync::broadcast;

/// How many messages a slow page may lag behind before it must read the log again.
const EVENTS_KEPT: usize = 1024;

/// A running sandbox. It has a thread and a runtime of its own, so it runs beside any other; dropped, it stops.
pub struct Sandbox {
    addr: SocketAddr,
    state: Arc<State>,
    server: ServerHandle,
    /// Removes the folder at the end, even if the server is still busy stopping.
    _temporary: Option<TempDir>,
}

/// What all requests share.
struct State {
    options: Options,
    /// Where it listens, to know its own URLs.
    addr: SocketAddr,
    store: Store,
    desk: Mutex<Desk>,
    /// Tells the open pages about messages, as JSON.
    events: broadcast::Sender<Event>,
    started: Instant,
    started_unix: Duration,
}

/// What an open page is told: the event's name and its data.
type Event = (&'static str, Arc<str>);

impl State {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().expect("nothing panics while it holds the desk")
    }

    /// Seconds since the start, which is the clock of the limits.
    fn now(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Unix time in milliseconds, on the same clock as [`State::now`].
    fn unix_millis(&self, now: f64) -> u64 {
        (self.started_unix + Duration::from_secs_f64(now)).as_millis() as u64
    }

    /// Tells the open pages.
    fn publish(&self, message: &Message) {
        // Fails only when no page is open.
        if self.events.receiver_count() > 0 {
            let json = serde_json::to_string(message).unwrap_or_default();
            let _ = self.events.send(("message", json.into()));
        }
    }
}

impl Sandbox {
    /// Starts on a listener that is bound already. Fails if the folder for the pictures cannot be used.
    pub fn start(listener: TcpListener, options: Options) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        let (dir, temporary) = match &options.store_dir {
            Some(dir) => (dir.clone(), None),
            None => {
                let temporary = TempDir::with_prefix("pixcourier-sandbox-")?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let state = Arc::new(State {
            store: Store::open(dir, options.store_files, options.store_bytes)?,
            desk: Mutex::new(Desk::new(&options)),
            events: broadcast::channel(EVENTS_KEPT).0,
            addr,
            options,
            started: Instant::now(),
            started_unix: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        });
        let (report, started) = mpsc::channel();
        let shared = state.clone();
        std::thread::Builder::new().name("sandbox".into()).spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                match server::bind(listener, shared) {
                    Ok(server) => {
                        let _ = report.send(Ok(server.handle()));
                        if let Err(e) = server.await {
                            tracing::error!(error = %e, "the sandbox's server ended");
                        }
                    }
                    Err(e) => {
                        let _ = report.send(Err(e));
                    }
                }
            });
        })?;
        let server = started.recv().unwrap_or_else(|_| Err(io::Error::other("the sandbox's thread ended")))?;
        Ok(Self { addr, state, server, _temporary: temporary })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its address for a browser and for clients of the Bot API, such as `http://127.0.0.1:8081`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops at once: requests in flight are cut. Returns when the port is free.
    pub async fn stop(self) {
        self.server.stop(false).await;
    }

    /// The kept messages that match, oldest first.
    pub fn messages(&self, filter: &Filter) -> Vec<Message> {
        self.state.desk().log.select(filter)
    }

    /// The counters, since the start or the last reset.
    pub fn stats(&self) -> Stats {
        self.state.desk().stats.snapshot()
    }

    /// Queues a fault. Refuses a rule that could never fire, saying why.
    pub fn add_fault(&self, rule: Rule) -> Result<(), String> {
        self.state.desk().faults.add(rule)
    }

    /// Takes back all queued faults.
    pub fn clear_faults(&self) {
        self.state.desk().faults.clear();
    }

    /// Lets a user do something of which the bot with this id hears. Refuses what cannot be, saying why.
    pub fn incoming(&self, bot: u64, incoming: Incoming) -> Result<Received, String> {
        incoming::receive(&self.state, bot, incoming)
    }

    /// How an inline query was answered, if it was.
    pub fn inline_answer(&self, inline_query_id: &str) -> Option<InlineAnswer> {
        self.state.desk().inline_queries.get(&inline_query_id.to_owned())?.answer.clone()
    }

    /// Forgets messages, counters, faults, flood waits, migrations and what users did; file_ids, pictures and webhooks stay.
    pub fn reset(&self) {
        control::reset(&self.state);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // The command is handed over by the call itself; nobody needs to wait for its end.
        drop(self.server.stop(false));
    }
}

/// Runs a sandbox until the process is asked to stop, for the command line. Prints where its page is and a first request.
pub async fn run(listen: SocketAddr, options: Options) -> io::Result<()> {
    let sandbox = Sandbox::start(TcpListener::bind(listen)?, options)?;
    let url = sandbox.url();
    println!("The sandbox is a Bot API that delivers to its own page. See the pictures at\n\n    {url}/\n");
    println!("Send one (any token of the right form will do):\n");
    println!("    curl -F chat_id=1 -F caption=Hello -F photo=@picture.jpg {url}/bot{EXAMPLE_TOKEN}/sendPhoto\n");
    println!("Stop with Ctrl-C.");
    if !listen.ip().is_loopback() {
        println!("Others can reach this address: anyone who does can see the pictures and queue faults.");
    }
    stop_signal().await?;
    sandbox.stop().await;
    Ok(())
}

/// A token of the right form that belongs to nobody, for examples.
const EXAMPLE_TOKEN: &str = "123456:SANDBOX-any-secret-of-24-or-more";

async fn stop_signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}
