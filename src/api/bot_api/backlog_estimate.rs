//! Back-pressure: estimates how long a call would wait in the queue before it is put there. Rough and cheap: the courier,
//! which knows every chat's turn, has the last word.

use crate::domain::BotName;
use crate::http::state::AppState;
use crate::settings::Bot;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a depth is used before the queue is asked again.
const MAX_AGE: Duration = Duration::from_secs(1);
/// How far behind the wait a refused caller may be told to come.
const MAX_SPREAD: Duration = Duration::from_secs(120);
/// How long the queue may take to tell its depth.
const DEPTH_TIMEOUT: Duration = Duration::from_millis(500);

/// How much was waiting for each bot when it was last asked.
#[derive(Default)]
pub struct BacklogEstimate {
    depths: Mutex<HashMap<BotName, (Instant, u64)>>,
    /// The last turn that was promised to a caller who was refused.
    promised: Mutex<HashMap<BotName, Instant>>,
}

impl BacklogEstimate {
    /// How long a call of the bot would wait for the notifications ahead of it, at the bot's rate limit.
    pub async fn wait(&self, state: &AppState, bot: &Bot) -> Duration {
        let rate = bot.limits.bot_rate;
        if rate <= 0.0 {
            return Duration::ZERO;
        }
        let waiting = match self.remembered(&bot.name) {
            Some(waiting) => waiting,
            None => self.ask(state, &bot.name).await,
        };
        Duration::from_secs_f64(waiting as f64 / rate)
    }

    /// When a caller shall come back who is refused because of such a wait: behind those who were refused before it, but not
    /// far behind, since they may never come.
    pub fn turn(&self, bot: &Bot, wait: Duration) -> Duration {
        let interval = Duration::try_from_secs_f64(1.0 / bot.limits.bot_rate).unwrap_or_default();
        let (now, mut promised) = (Instant::now(), self.promised.lock().unwrap_or_else(PoisonError::into_inner));
        let behind = promised.get(&bot.name).map_or(Duration::ZERO, |last| *last + interval - now);
        let turn = wait.max(behind.min(wait + MAX_SPREAD));
        promised.insert(bot.name.clone(), now + turn);
        turn
    }

    /// The depth that is remembered. The first caller to find it too old gets `None` and asks; the others use it meanwhile.
    fn remembered(&self, bot: &BotName) -> Option<u64> {
        let mut known = self.depths.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get_mut(bot) {
            Some((at, waiting)) if at.elapsed() < MAX_AGE => Some(*waiting),
            Some((at, _)) => {
                *at = Instant::now();
                None
            }
            None => None,
        }
    }

    async fn ask(&self, state: &AppState, bot: &BotName) -> u64 {
        let (queue, name) = (state.ports.queue.clone(), bot.clone());
        let asked = state.run(async move { tokio::time::timeout(DEPTH_TIMEOUT, queue.depth(&name)).await }).await;
        // If the queue is away, publishing will fail and say so.
        let Ok(Ok(Ok(depth))) = asked else { return 0 };
        // The call overtakes the bulk lane.
        let waiting = depth.lanes[0] + depth.lanes[1];
        self.depths.lock().unwrap_or_else(PoisonError::into_inner).insert(bot.clone(), (Instant::now(), waiting));
        waiting
    }
}
