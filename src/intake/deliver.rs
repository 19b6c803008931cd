//! Accepts a request whose caller waits for the outcome.

use super::accept::Intake;
use super::outcome_wait;
use super::rejection::{ProblemCode, Rejection};
use super::send_request::SendRequest;
use crate::domain::{AttemptOutcome, NotificationId, Record, Status, Timestamp};
use crate::ports::{Idempotency, Outcome, OutcomeWaiter};
use tokio::sync::oneshot;

/// What came of a request whose caller has waited.
#[derive(Debug)]
pub struct Delivered {
    /// The notification.
    pub id: NotificationId,
    /// How it ended; `None` if that is still not known.
    pub outcome: Option<Outcome>,
    /// Whether the same key was used before, so that it is the outcome of that request.
    pub replayed: bool,
}

impl Intake {
    /// Accepts, and waits for the outcome. The caller waits until the request's `expires_at`: what cannot be sent by then
    /// ends as expired, as soon as that is known. Dropping the future does not cancel the delivery. With the idempotency key
    /// of an earlier request it waits for the outcome of that; if that could only not be sent in time, it is tried again.
    pub async fn deliver(
        &self,
        request: SendRequest,
        idempotency: Option<Idempotency>,
    ) -> Result<Delivered, Rejection> {
        let id = NotificationId::new();
        let deadline = request.expires_at;
        let waiter = self.ports.outcome_notifier.listen(id);
        let acceptance = self.submit(id, request, idempotency, Some(waiter.address.clone())).await?;
        let (id, replayed) = (acceptance.accepted.id, acceptance.accepted.replayed);
        let waiter = if replayed { self.listen_again(id, deadline).await? } else { waiter };
        let upload_bytes = acceptance.files.iter().map(|file| file.size).sum();
        let outcome = outcome_wait::outcome(&*self.ports.ledger, id, waiter, deadline, upload_bytes).await;
        Ok(Delivered { id, outcome, replayed })
    }

    /// Waits for the outcome of a request that an earlier caller made.
    async fn listen_again(&self, id: NotificationId, deadline: Timestamp) -> Result<OutcomeWaiter, Rejection> {
        if let Some(record) = self.ports.ledger.get(id).await?.filter(has_only_expired) {
            let waiter = self.ports.outcome_notifier.listen(id);
            let now = Timestamp::now();
            let lifetime = deadline.since(now);
            match self.resubmit(record.notification, lifetime, Some(waiter.address.clone()), now).await {
                Ok(_) => return Ok(waiter),
                // Another repetition was quicker.
                Err(rejection) if rejection.code == ProblemCode::NotRetryable => {}
                Err(rejection) => return Err(rejection),
            }
        }
        // Its outcome goes to whoever asked first. Here it is asked for.
        let (_, outcome) = oneshot::channel();
        Ok(OutcomeWaiter { address: String::new(), outcome })
    }
}

/// Whether it could not be sent in time, and nothing else is known to be wrong with it.
fn has_only_expired(record: &Record) -> bool {
    matches!(record.status, Status::Refused | Status::Expired)
        && !record.attempts.iter().any(|attempt| attempt.outcome == AttemptOutcome::Ambiguous)
}
