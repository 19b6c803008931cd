//! What somebody has paused: a paused bot dispatches nothing, and a paused chat is never ready, like one in a flood wait without an end.

use super::chat_queue::DeferredJob;
use super::schedule::Scheduler;
use crate::delivery::mono_time::MonoTime;
use crate::domain::{BotPauses, ChatId, Lane};
use std::time::Duration;

/// For how long a notification to a paused chat goes back to the queue, when the window fills.
const PAUSED_IN_QUEUE: Duration = Duration::from_secs(30);
/// For how long a pause is taken to last, where somebody must be told when the turn of a notification will come.
const PAUSE_ESTIMATE: Duration = Duration::from_secs(60);

impl Scheduler {
    /// Lets be paused what these pauses say, and nothing else.
    pub fn set_paused(&mut self, now: MonoTime, pauses: Option<&BotPauses>) {
        self.is_paused = pauses.is_some_and(|pauses| pauses.bot.is_some());
        let chats = pauses.into_iter().flat_map(|pauses| pauses.chats.keys().cloned()).collect();
        self.chats.set_paused(now, chats);
    }

    /// Whether the whole bot is paused.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// How long nothing will be sent to a chat, as far as can be told, because it or the bot is paused.
    pub(super) fn pause_estimate(&self, chat: &ChatId) -> Duration {
        if self.is_paused || self.chats.is_paused(chat) { PAUSE_ESTIMATE } else { Duration::ZERO }
    }

    /// Takes what paused chats hold out of a crowded lane, so that the others have room.
    pub(super) fn shed_paused(&mut self, now: MonoTime, lane: Lane, out: &mut Vec<DeferredJob>) {
        for name in self.chats.paused_here() {
            while self.load.is_crowded(lane) {
                let Some(chat) = self.chats.get_mut(&name) else { break };
                let until = now + PAUSED_IN_QUEUE;
                let Some((job, number)) = chat.defer_last(lane, until) else { break };
                self.load.remove(job.lane, job.bytes);
                self.forget_awaiting_part(job.id);
                out.push(DeferredJob { id: job.id, until, number });
            }
            self.chats.place(now, &name);
        }
    }
}
