//! Takes notifications back, and with each what follows it.

use super::accept::Intake;
use crate::domain::{NotificationId, RecordUpdate, Timestamp};
use crate::ports::{Cancelled, LedgerError};

impl Intake {
    /// Cancels one that has not begun, and what follows it: that waits for it to be sent.
    ///
    /// # Errors
    /// The ledger is away.
    pub async fn cancel(&self, id: NotificationId) -> Result<Cancelled, LedgerError> {
        let now = Timestamp::now();
        let cancelled = self.ports.ledger.cancel(id, now).await?;
        if let Cancelled::Done(record) = &cancelled
            && (record.notification.follows.is_some() || !record.notification.then.is_empty())
        {
            self.end_followers(id, now).await?;
        }
        Ok(cancelled)
    }

    async fn end_followers(&self, mut id: NotificationId, at: Timestamp) -> Result<(), LedgerError> {
        let ledger = &self.ports.ledger;
        while let Some(next) = ledger.get(id.following()).await?.filter(|next| next.notification.follows == Some(id)) {
            if !ledger.settle(&next.notification, &RecordUpdate::not_followed(at)).await? {
                break;
            }
            id = next.notification.id;
        }
        Ok(())
    }
}
