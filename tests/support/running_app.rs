//! A process of the service, run inside the test's own; and the watch over what outlives it.

use super::wait;
use pixcourier::app::{App, Engine, Reloader, Role};
use pixcourier::domain::{Filter, Status};
use pixcourier::ports::{Ledger, ListQuery};
use pixcourier::settings::Settings;
use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;
use tokio::runtime::{Handle, Id};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long after the end of a test a record may become final, or a task end.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);

/// What `serve` runs, on a free port.
pub struct RunningApp {
    /// Its address.
    pub url: String,
    pub engine: Engine,
    pub reloader: Reloader,
    stop: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
}

impl RunningApp {
    /// Starts one; it may not be ready yet.
    pub async fn start(settings: &Settings, role: Role) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").unwrap(), settings, role).await
    }

    /// Starts one on a port that is bound already.
    pub async fn start_on(listener: TcpListener, settings: &Settings, role: Role) -> Self {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let app = App::build(settings.clone(), role, listener).await.unwrap();
        let (engine, reloader) = (app.engine().clone(), app.reloader());
        let serving = tokio::spawn(app.run(stop.clone().cancelled_owned()));
        Self { url, engine, reloader, stop, serving }
    }

    /// Asks it to stop, and does not wait.
    pub fn begin_stop(&self) {
        self.stop.cancel();
    }

    /// Stops it gracefully.
    pub async fn stop(mut self) {
        self.stop.cancel();
        (&mut self.serving).await.unwrap().unwrap();
    }
}

impl Drop for RunningApp {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Waits a moment for all records to become final; panics with those that do not.
pub async fn assert_all_final(ledger: &dyn Ledger) {
    let open = Status::ALL.into_iter().filter(|status| !status.is_final());
    for status in open {
        wait::until_ok("all records to be final (or a call of leave_unfinished)", SETTLE_TIMEOUT, async || {
            let query = ListQuery { filter: Filter::of_status(status), limit: 3, ..ListQuery::default() };
            let page = ledger.list(&query).await.map_err(|error| error.to_string())?;
            let ids: Vec<_> = page.records.iter().map(|record| record.notification.id.to_string()).collect();
            if ids.is_empty() { Ok(()) } else { Err(format!("{} of {}", status.as_str(), ids.join(", "))) }
        })
        .await;
    }
}

/// Watches over the tasks of the test's runtime: when the last service in it has stopped, no task that was started
/// meanwhile may be left. Panics, too, when a test forgets to stop a service.
pub struct TaskWatch {
    runtime: Id,
    ended: bool,
}

/// Of each runtime, how many services run in it, and how many tasks were alive before the first.
static RUNTIMES: LazyLock<Mutex<HashMap<Id, (usize, usize)>>> = LazyLock::new(Mutex::default);

impl TaskWatch {
    /// Call it before anything is started.
    pub fn begin() -> Self {
        let runtime = Handle::current();
        let mut runtimes = RUNTIMES.lock().unwrap();
        let (services, _) = runtimes.entry(runtime.id()).or_insert_with(|| (0, runtime.metrics().num_alive_tasks()));
        *services += 1;
        Self { runtime: runtime.id(), ended: false }
    }

    /// Call it when all is stopped.
    pub async fn end(mut self) {
        self.ended = true;
        let Some(before) = self.leave() else { return };
        wait::until_ok("tasks to end that outlive the service", SETTLE_TIMEOUT, async || {
            let alive = Handle::current().metrics().num_alive_tasks();
            if alive <= before { Ok(()) } else { Err(format!("{alive} are alive, {before} were before it started")) }
        })
        .await;
    }

    /// Of the last one, how many tasks there were before the first.
    fn leave(&self) -> Option<usize> {
        let mut runtimes = RUNTIMES.lock().unwrap();
        let (services, before) = runtimes.get_mut(&self.runtime)?;
        *services -= 1;
        let (last, before) = (*services == 0, *before);
        if last {
            runtimes.remove(&self.runtime);
        }
        last.then_some(before)
    }
}

impl Drop for TaskWatch {
    fn drop(&mut self) {
        if !self.ended {
            self.leave();
            assert!(std::thread::panicking(), "a test ended without stop() of its TestApp or ApiApp");
        }
    }
}
