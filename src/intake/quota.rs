//! The daily quota of a client: what it posts is counted before it is accepted, and taken back if nothing comes of that.

use super::accept::{Acceptance, Intake};
use super::rejection::{ProblemCode, Rejection};
use super::send_request::SendRequest;
use crate::domain::Timestamp;
use crate::ports::{Day, Taken};
use crate::settings::Client;
use std::sync::Arc;

/// What was counted for a request.
pub(super) struct Charge {
    client: Arc<Client>,
    day: Day,
    cost: u32,
    /// How many the client has posted today, this one included.
    today: u64,
}

impl Intake {
    /// Counts a request and what follows it, if its client has a quota. While the counts are away it is let through.
    ///
    /// # Errors
    /// [`ProblemCode::QuotaExceeded`].
    pub(super) async fn charge(&self, request: &SendRequest) -> Result<Option<Charge>, Rejection> {
        let Some(client) = request.client.as_ref().filter(|client| client.daily_quota > 0) else { return Ok(None) };
        let (now, cost) = (Timestamp::now(), u32::try_from(1 + request.then.len()).unwrap_or(u32::MAX));
        let (day, quota) = (Day::of(now), client.daily_quota);
        match self.ports.quotas.take(&client.name, day, cost, quota).await {
            Ok(Taken { counted: true, used }) => Ok(Some(Charge { client: client.clone(), day, cost, today: used })),
            Ok(Taken { counted: false, used }) => {
                let detail = format!(
                    "The client {} may post {quota} notifications a day (UTC), has posted {used}, and this makes {cost} \
                     more. Nothing was accepted; try again after the time in Retry-After.",
                    client.name
                );
                Err(Rejection::new(ProblemCode::QuotaExceeded, detail).after(day.seconds_left(now)))
            }
            Err(error) => {
                tracing::warn!(client = %client.name, %error, "a notification is not counted: the counts are away");
                Ok(None)
            }
        }
    }

    /// Concludes what was counted: what was not accepted now, or was accepted before, is taken back. What may have been
    /// accepted stays counted; its repetition with the same key is not counted again.
    pub(super) async fn conclude_charge(
        &self,
        client: Option<Arc<Client>>,
        charge: Option<Charge>,
        accepted: Result<Acceptance, Rejection>,
    ) -> Result<Acceptance, Rejection> {
        let is_new = accepted.as_ref().is_ok_and(|acceptance| !acceptance.accepted.replayed);
        if let Some(client) = client.filter(|_| is_new) {
            self.metrics.client_accepted.with_label_values(&[client.name.as_str()]).inc();
        }
        let Some(Charge { client, day, cost, today }) = charge else { return accepted };
        if is_new {
            return accepted.map(|acceptance| Acceptance { posted_today: Some(today), ..acceptance });
        }
        if accepted.as_ref().is_err_and(|rejection| rejection.code == ProblemCode::Unconfirmed) {
            return accepted;
        }
        if let Err(error) = self.ports.quotas.give_back(&client.name, day, cost).await {
            tracing::warn!(client = %client.name, %error, "a notification that was not accepted stays counted");
        }
        accepted
    }
}
