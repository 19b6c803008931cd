//! A worker's way to the servers of its world: late, there and back; broken when a part is away; dead with the worker.

use super::state::{Part, Shared, State};
use std::future::pending;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

/// One worker's connections. Cheap to clone.
#[derive(Clone)]
pub struct Link {
    /// The servers.
    pub shared: Shared,
    /// Whose connections they are.
    pub worker: usize,
}

/// A part is away, or has gone away before its answer.
pub struct Away {
    /// Whether the request had its effect.
    pub took_effect: bool,
}

impl Link {
    /// Has a part do something. The request goes its way even if nobody waits for the answer any more.
    pub async fn ask<T: Send + 'static>(
        &self,
        part: Part,
        serve: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> Result<T, Away> {
        let [there, back] = self.delays(part);
        let (answer, answered) = oneshot::channel();
        let link = self.clone();
        tokio::spawn(async move {
            sleep(there).await;
            let goes_on_at = link.shared.lock().goes_on_at(part);
            if goes_on_at > Instant::now() {
                sleep_until(goes_on_at).await;
            }
            let served = {
                let state = &mut *link.shared.lock();
                if link.is_lost(state) {
                    return;
                }
                if state.is_away(part, link.worker) { None } else { Some(serve(state)) }
            };
            sleep(back).await;
            let state = link.shared.lock();
            if state.is_alive(link.worker) {
                let away = Away { took_effect: served.is_some() };
                let served = served.filter(|_| !state.is_away(part, link.worker));
                // Nobody may wait any more.
                let _ = answer.send(served.ok_or(away));
            }
        });
        match answered.await {
            Ok(result) => result,
            // The worker is dead.
            Err(_) => pending().await,
        }
    }

    /// What a worker that is dead had on its way is lost or not.
    pub fn is_lost(&self, state: &mut State) -> bool {
        !state.is_alive(self.worker) && state.random.bool()
    }

    fn delays(&self, part: Part) -> [Duration; 2] {
        let mut state = self.shared.lock();
        let most = if part == Part::Blobs { 20_000 } else { 3_000 };
        [(); 2].map(|()| Duration::from_micros(state.random.u64(..most)))
    }
}
