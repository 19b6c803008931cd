//! The way back of outcomes: it reaches the caller that listens, and only that one.

use super::WAIT_TIMEOUT;
use pixcourier::domain::{NotificationId, Status};
use pixcourier::ports::{Outcome, OutcomeNotifier};
use serde_json::json;
use std::sync::Arc;
use tokio::time::timeout;

/// `here` listens, `there` (which may be the same) tells.
pub async fn suite(here: Arc<dyn OutcomeNotifier>, there: Arc<dyn OutcomeNotifier>) {
    let (first, second) = (NotificationId::new(), NotificationId::new());
    let (mut one, two) = (here.listen(first), here.listen(second));
    assert!(!one.address.is_empty(), "whoever listens can be told");
    let sent = |number: i64| Outcome {
        status: Status::Sent,
        result: Some(json!({"message_id": number, "text": "grüße \u{1F408}"})),
        failure: None,
        turn: None,
    };
    there.notify(&two.address, second, &sent(2)).await;
    let heard = timeout(WAIT_TIMEOUT, two.outcome).await.expect("an outcome arrives").expect("nobody hangs up");
    assert_eq!(heard, sent(2), "it arrives as it was told");
    assert!(one.outcome.try_recv().is_err(), "another caller hears nothing of it");
    // Whom nobody listens to: neither harms those that do.
    there.notify(&one.address, NotificationId::new(), &sent(3)).await;
    there.notify("amq.rabbitmq.reply-to.nobody", first, &sent(4)).await;
    there.notify(&one.address, first, &sent(1)).await;
    let heard = timeout(WAIT_TIMEOUT, &mut one.outcome).await.expect("an outcome arrives").expect("nobody hangs up");
    assert!(heard == sent(1) || heard == sent(4), "told under its id: {heard:?}");
}
