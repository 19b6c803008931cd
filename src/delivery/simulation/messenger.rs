//! A worker's way to Telegram.

use super::link::Link;
use super::telegram::{Answer, Request};
use crate::domain::Timestamp;
use crate::ports::{CallError, Messenger, MessengerRequest, MessengerResponse};
use async_trait::async_trait;
use std::future::pending;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// A request is on its way for less than this, in microseconds: more would be no fair test of margins that are a few
/// hundredths of a second.
const LONGEST_WAY: u64 = 10_000;

#[async_trait]
impl Messenger for Link {
    async fn call(&self, request: MessengerRequest) -> Result<MessengerResponse, CallError> {
        let request = Request::read(&request);
        let way = {
            let mut state = self.shared.lock();
            let reachable = state.telegram.is_reachable();
            state.note(|| format!("worker {} sends {} to {}", self.worker, request.id, request.chat));
            let way = state.random.u64(..LONGEST_WAY);
            if reachable {
                state.judge.leaves(request.id, self.worker);
            }
            reachable.then(|| Duration::from_micros(way))
        };
        let Some(way) = way else {
            sleep(Duration::from_millis(20)).await;
            self.shared.lock().judge.faulted(request.id, false);
            return Err(CallError::NotSent("no connection".to_owned()));
        };
        let (answer, answered) = oneshot::channel();
        let (link, left_at) = (self.clone(), self.shared.lock().wall());
        tokio::spawn(async move {
            sleep(way).await;
            let Some((response, after)) = link.arrive(&request, left_at) else { return };
            sleep(after).await;
            if link.shared.lock().is_alive(link.worker) {
                link.hear(&request, &response);
                // Nobody may wait any more.
                let _ = answer.send(response.response);
            }
        });
        match answered.await {
            Ok(response) => response,
            // The worker is dead.
            Err(_) => pending().await,
        }
    }
}

impl Link {
    /// The request arrives: the judge counts it, Telegram answers.
    fn arrive(&self, request: &Request, left_at: Timestamp) -> Option<(Answer, Duration)> {
        let state = &mut *self.shared.lock();
        if self.is_lost(state) {
            return None;
        }
        let (now, id, chat) = (state.now(), request.id, request.chat);
        state.judge.arrives(now, left_at, id, self.worker, chat);
        let answer = state.telegram.answer(request, &mut state.random);
        if let Some(message) = answer.message {
            state.judge.appears(now, id, message);
        }
        if answer.refused {
            state.judge.refused(id);
        }
        state.note(|| match (&answer.message, &answer.response) {
            (Some(message), Ok(_)) => format!("{id} has arrived in {chat} as message {message}"),
            (message, response) => format!("{id} has arrived in {chat}: {message:?}, {response:?}"),
        });
        let after = answer.after;
        Some((answer, after))
    }

    /// The worker hears the answer.
    fn hear(&self, request: &Request, answer: &Answer) {
        let state = &mut *self.shared.lock();
        if let Some(wait) = answer.retry_after {
            // Telegram began to count when it answered.
            let until = state.now() + wait - answer.after;
            state.judge.told_to_wait(self.worker, request.chat, until);
        }
        let failing = match &answer.response {
            Ok(response) => response.status >= 500,
            Err(_) => true,
        };
        let file_id_refused = answer.response.as_ref().is_ok_and(|response| response.status == 400);
        if failing || file_id_refused {
            state.judge.faulted(request.id, failing);
        }
    }
}
