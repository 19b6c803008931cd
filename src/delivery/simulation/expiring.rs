//! Notifications that expire while the ledger is away for longer than a broker lets a delivery be held.

use super::draft::Draft;
use super::link::Link;
use super::state::{Part, Shared};
use super::world::{context, on_paused_clock};
use crate::delivery::attempt::AttemptRun;
use crate::domain::{BotName, Status};
use crate::ports::Queue;
use std::sync::Arc;
use std::time::Duration;

/// RabbitMQ closes the channel of a consumer that has held a delivery for half an hour, and a courier may have held it for 20
/// minutes before.
const LONGEST_HOLD: Duration = Duration::from_secs(600);

#[test]
fn what_expires_while_the_ledger_is_away_goes_back_to_the_queue_until_that_is_there() {
    let shared = Shared::new(fastrand::Rng::with_seed(1), false);
    on_paused_clock(shared.clone(), async {
        let worker = shared.lock().add_worker();
        let link = Arc::new(Link { shared: shared.clone(), worker });
        let mut subscription = link.subscribe(&BotName::default_bot(), 10).await.unwrap();
        let notification = Draft::text(1).accept(shared.lock().wall());
        shared.accept(&notification, false);
        let outage = Duration::from_secs(2 * 3_600);
        shared.lock().take_away(Part::Ledger, outage);
        let (mut rounds, mut status) = (0, Status::Queued);
        while status != Status::Expired {
            let delivery = subscription.deliveries.recv().await.unwrap();
            let (began, turn) = (tokio::time::Instant::now(), shared.lock().wall());
            AttemptRun::new(context(link.clone()), delivery.notification, delivery.receipt).expire(turn).await;
            assert!(began.elapsed() < LONGEST_HOLD, "held for {:?}", began.elapsed());
            rounds += 1;
            status = shared.lock().ledger.get(notification.id).unwrap().status;
        }
        let state = shared.lock();
        assert!(state.now() > outage && rounds > 2, "{rounds} rounds");
        assert_eq!(state.queue.depth(&notification.bot), [0, 0, 0], "acked");
    });
}
