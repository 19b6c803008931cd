//! A first look at how long the queue is, before anything is put into it. Rough and cheap: the courier, which knows every
//! chat's turn, has the last word.

use crate::domain::BotName;
use crate::http::state::AppState;
use crate::settings::Bot;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long what the queue said is believed.
const FRESH: Duration = Duration::from_secs(1);
/// How long the queue may take to say it.
const ANSWER: Duration = Duration::from_millis(500);

/// How much was waiting for each bot when it was last asked.
#[derive(Default)]
pub struct BacklogEstimate(Mutex<HashMap<BotName, (Instant, u64)>>);

impl BacklogEstimate {
    /// How long a call of the bot would wait for what is before it.
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

    /// What is remembered; whoever finds it stale goes and asks, and the others believe it meanwhile.
    fn remembered(&self, bot: &BotName) -> Option<u64> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get_mut(bot) {
            Some((at, waiting)) if at.elapsed() < FRESH => Some(*waiting),
            Some((at, _)) => {
                *at = Instant::now();
                None
            }
            None => None,
        }
    }

    async fn ask(&self, state: &AppState, bot: &BotName) -> u64 {
        let (queue, name) = (state.ports.queue.clone(), bot.clone());
        let asked = state.run(async move { tokio::time::timeout(ANSWER, queue.depth(&name)).await }).await;
        // A queue that does not answer will say so itself when it is given something.
        let Ok(Ok(Ok(depth))) = asked else { return 0 };
        // Those of the bulk lane let it pass.
        let waiting = depth.lanes[0] + depth.lanes[1];
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(bot.clone(), (Instant::now(), waiting));
        waiting
    }
}
