//! How much lies ready for each bot. To ask the broker costs one request for each queue, so it is not asked about a bot whose
//! owner is here, has room for more and gets nothing: then nothing lies ready.

use super::amqp::{REQUEST_TIMEOUT, error_text};
use super::declarations::find_queue;
use super::session::Session;
use super::topology::BotQueue;
use super::unacked::UnackedByBot;
use crate::domain::{BotName, Lane};
use crate::ports::QueueError;
use lapin::types::ShortString;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// About how many bots the broker is asked at once.
const MAX_ASKED_AT_ONCE: usize = 16;

/// An owner that has had room and got nothing for so long has emptied its queues.
const QUIET_FOR: Duration = Duration::from_secs(1);

/// All the same the broker is asked again after this, varied at random by a half: should its consumers get nothing although
/// something is there, that must show.
const CHECKED_AFTER: Duration = Duration::from_secs(60);

pub(super) struct Depths {
    /// Until when a bot that had nothing ready need not be asked about while its owner is quiet.
    checked_until: Mutex<HashMap<BotName, Instant>>,
    turns: Semaphore,
}

impl Depths {
    pub(super) fn new() -> Self {
        Self { checked_until: Mutex::default(), turns: Semaphore::new(MAX_ASKED_AT_ONCE) }
    }

    fn is_checked(&self, bot: &BotName, now: Instant) -> bool {
        let checked_until = self.checked_until.lock().unwrap_or_else(PoisonError::into_inner);
        checked_until.get(bot).is_some_and(|until| now < *until)
    }

    fn note(&self, bot: &BotName, is_empty: bool, now: Instant) {
        let until = now + if is_empty { CHECKED_AFTER.mul_f64(0.5 + fastrand::f64()) } else { Duration::ZERO };
        self.checked_until.lock().unwrap_or_else(PoisonError::into_inner).insert(bot.clone(), until);
    }

    /// What lies ready for a bot, by lane, as far as the session's broker says. What was put back and is not delivered again at
    /// once counts as of the normal lane, and what is large.
    pub(super) async fn ready_by_lane(
        &self,
        session: &Session,
        unacked: &UnackedByBot,
        bot: &BotName,
    ) -> Result<[u64; 3], QueueError> {
        if self.is_checked(bot, Instant::now()) && unacked.is_quiet(bot, QUIET_FOR) {
            return Ok([0; 3]);
        }
        let asked = async {
            let _turn = self.turns.acquire().await.expect("never closed");
            ask(session, bot).await
        };
        let lanes = answer(asked).await?;
        self.note(bot, lanes == [0; 3], Instant::now());
        Ok(lanes)
    }
}

/// How many messages a queue has ready.
pub(super) async fn count_ready(session: &Session, queue: ShortString) -> Result<u64, QueueError> {
    let found = answer(async { find_queue(&*session.channels.open().await?, queue).await }).await?;
    Ok(found.message_count().into())
}

async fn ask(session: &Session, bot: &BotName) -> lapin::Result<[u64; 3]> {
    session.ensure_bot(bot).await?;
    let found = session.topology.inspect_bot(&*session.channels.open().await?, bot).await?;
    let mut lanes = [0; 3];
    for (queue, found) in BotQueue::ALL.into_iter().zip(found) {
        let lane = if let BotQueue::Lane(lane) = queue { lane } else { Lane::Normal };
        lanes[lane as usize] += u64::from(found.message_count());
    }
    Ok(lanes)
}

/// The answer to a request, within [`REQUEST_TIMEOUT`].
async fn answer<T>(request: impl Future<Output = lapin::Result<T>>) -> Result<T, QueueError> {
    match timeout(REQUEST_TIMEOUT, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(QueueError::Unavailable(format!("RabbitMQ: {}", error_text(&error)))),
        Err(_) => Err(QueueError::Unavailable("RabbitMQ does not answer".to_owned())),
    }
}
