//! The contract of [`Queue`] while what is published meets owners that come and go.

use super::{bot, eventually, next, notification, ownership};
use pixcourier::ports::{Delivery, Depth, Queue, QueueError, Subscription};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const OWNERS: usize = 6;

async fn subscribe(queue: &Arc<dyn Queue>) -> Subscription {
    let mut subscription = queue.subscribe(&bot("q-change"), 8).await.expect("subscribe");
    ownership(&mut subscription).await;
    subscription
}

/// `false` if the ownership has ended meanwhile, so that it comes back.
async fn ack(queue: &Arc<dyn Queue>, delivered: &Delivery) -> bool {
    match queue.ack(&delivered.receipt).await {
        Ok(()) => true,
        Err(QueueError::Stale) => false,
        Err(error) => panic!("ack: {error}"),
    }
}

/// What is published while one owner goes and another comes reaches one of them, and each in the order of publishing.
pub async fn while_owners_change_everything_arrives_in_order(queue: &Arc<dyn Queue>, other: &Arc<dyn Queue>) {
    let name = bot("q-change");
    let ended = AtomicBool::new(false);
    let publishing = async {
        let mut published = Vec::new();
        while !ended.load(Ordering::Relaxed) {
            let one = notification(&name, 1);
            queue.publish(&one).await.expect("publish");
            published.push(one.id);
        }
        published
    };
    let owning = async {
        let mut acked = Vec::new();
        for owner in 0..OWNERS {
            let queue = if owner % 2 == 0 { queue } else { other };
            let mut subscription = subscribe(queue).await;
            let mut last = None;
            for taken in 0..40 {
                let delivered = next(&mut subscription).await;
                let place = (delivered.receipt.epoch, delivered.notification.id);
                assert!(last < Some(place), "{place:?} came after {last:?}");
                last = Some(place);
                // The last few are out when the owner goes.
                if taken < 36 && ack(queue, &delivered).await {
                    acked.push(delivered.notification.id);
                }
            }
        }
        ended.store(true, Ordering::Relaxed);
        acked
    };
    let (published, mut acked) = tokio::join!(publishing, owning);
    let mut subscription = subscribe(queue).await;
    while acked.len() < published.len() {
        let delivered = next(&mut subscription).await;
        if ack(queue, &delivered).await {
            acked.push(delivered.notification.id);
        }
    }
    assert_eq!(acked, published, "each was acked once, in the order of publishing");
    eventually("the depth", Some(Depth::default()), async || queue.depth(&name).await.ok()).await;
}
