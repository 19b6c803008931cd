//! Starting and stopping a sandbox, and what its owner can ask of it without HTTP.

use crate::sandbox::faults::FaultRule;
use crate::sandbox::log::{MessageFilter, SandboxMessage, SandboxStats};
use crate::sandbox::options::SandboxOptions;
use crate::sandbox::server;
use crate::sandbox::state::SandboxState;
use crate::sandbox::updates::{InlineAnswer, UserAction, UserActionResult};
use actix_web::dev::ServerHandle;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use tempfile::TempDir;

/// A token of the right form that belongs to nobody, for examples.
const EXAMPLE_TOKEN: &str = "123456:SANDBOX-any-secret-of-24-or-more";

/// A running sandbox. It has a thread and a runtime of its own, so it runs beside any other; dropped, it stops.
pub struct Sandbox {
    addr: SocketAddr,
    state: Arc<SandboxState>,
    server: ServerHandle,
    /// Removes the folder at the end, even if the server is still busy stopping.
    _temporary: Option<TempDir>,
}

impl Sandbox {
    /// Starts on a listener that is bound already. Fails if the folder for the pictures cannot be used.
    pub fn start(listener: TcpListener, options: SandboxOptions) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        let (dir, temporary) = match &options.store_dir {
            Some(dir) => (dir.clone(), None),
            None => {
                let temporary = TempDir::with_prefix("pixcourier-sandbox-")?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let state = Arc::new(SandboxState::new(addr, options, dir)?);
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
    pub fn messages(&self, filter: &MessageFilter) -> Vec<SandboxMessage> {
        self.state.history.lock().log.select(filter)
    }

    /// The counters, since the start or the last reset.
    pub fn stats(&self) -> SandboxStats {
        self.state.stats.lock().snapshot()
    }

    /// Queues a fault. Refuses a rule that could never fire, saying why.
    pub fn add_fault(&self, rule: FaultRule) -> Result<(), String> {
        self.state.faults.lock().add(rule)
    }

    /// Takes back all queued faults.
    pub fn clear_faults(&self) {
        self.state.faults.lock().clear();
    }

    /// Lets a user do something of which the bot with this id hears. Refuses what cannot be, saying why.
    pub fn incoming(&self, bot: u64, incoming: UserAction) -> Result<UserActionResult, String> {
        self.state.perform(bot, incoming)
    }

    /// How an inline query was answered, if it was.
    pub fn inline_answer(&self, inline_query_id: &str) -> Option<InlineAnswer> {
        self.state.inline_answer(inline_query_id)
    }

    /// Forgets messages, counters, faults, flood waits, migrations and what users did; file_ids, pictures and webhooks stay.
    pub fn reset(&self) {
        self.state.reset();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // The command is handed over by the call itself; nobody needs to wait for its end.
        drop(self.server.stop(false));
    }
}

/// Runs a sandbox until the process is asked to stop, for the command line. Prints where its page is and a first request.
pub async fn run(listen: SocketAddr, options: SandboxOptions) -> io::Result<()> {
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

async fn stop_signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}
