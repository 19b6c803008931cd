//! The contract of [`Queue`].

use super::{
    bot, demanding, eventually, in_lane, later, next, nothing_comes, notification, ownership, queue_owners, text_of,
};
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use pixcourier::domain::{ChatId, Lane, NotificationId, Timestamp};
use pixcourier::ports::{Departure, Depth, FrozenChat, HandOver, Queue, QueueError, Subscription};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// The bots that the suite uses.
pub const BOTS: [&str; 17] = [
    "q-once",
    "q-early",
    "q-window",
    "q-urgent",
    "q-stale",
    "q-back",
    "q-count",
    "q-defer",
    "q-owner",
    "q-depth",
    "q-order",
    "q-many",
    "q-this",
    "q-that",
    "q-whole",
    "q-release",
    "q-change",
];

/// Runs every check. `queue` and `other` see the same lanes: the handles of two processes, or twice the same.
pub async fn suite(queue: Arc<dyn Queue>, other: Arc<dyn Queue>) {
    queue.ready().await.expect("a queue that works is ready");
    for name in BOTS {
        depth_becomes(&queue, name, [0, 0, 0]).await;
    }
    what_is_acked_is_never_delivered_again(&queue).await;
    what_is_scheduled_is_not_delivered_early(&queue).await;
    a_lane_has_at_most_its_window_out(&queue).await;
    an_urgent_one_passes_a_full_lane(&queue).await;
    a_receipt_of_an_earlier_ownership_is_stale(&queue, &other).await;
    what_was_unacked_comes_back_to_the_next_owner(&queue, &other).await;
    every_return_without_an_ack_is_counted(&queue).await;
    what_is_deferred_comes_back_changed_and_not_before_its_time(&queue).await;
    one_owns_at_a_time_and_the_other_takes_over(&queue, &other).await;
    what_an_owner_leaves_reaches_the_next_and_nobody_after_it(&queue, &other).await;
    queue_owners::while_owners_change_everything_arrives_in_order(&queue, &other).await;
    depth_counts_what_is_ready_or_unacked(&queue).await;
    a_lane_keeps_the_order_of_publishing(&queue).await;
    a_thousand_concurrent_publishes_all_arrive(&queue, &other).await;
    bots_are_apart(&queue).await;
    everything_in_a_notification_arrives_unbent(&queue).await;
}

async fn subscribe(queue: &Arc<dyn Queue>, name: &str, window: u16) -> Subscription {
    let mut subscription = queue.subscribe(&bot(name), window).await.expect("subscribe");
    ownership(&mut subscription).await;
    subscription
}

async fn depth_becomes(queue: &Arc<dyn Queue>, name: &str, lanes: [u64; 3]) {
    let ask = async || {
        let told = queue.depths(vec![bot(name)]).map(|(bot, depth)| (bot, depth.ok())).collect::<Vec<_>>().await;
        (queue.depth(&bot(name)).await.ok(), told)
    };
    let depth = Some(Depth { lanes });
    eventually(&format!("the depth of {name}"), (depth, vec![(bot(name), depth)]), ask).await;
}

/// Published, delivered with the epoch of the ownership, acked, gone; also for the next owner.
pub async fn what_is_acked_is_never_delivered_again(queue: &Arc<dyn Queue>) {
    let name = bot("q-once");
    let first = notification(&name, 1);
    queue.publish(&first).await.expect("publish");
    let mut subscription = subscribe(queue, "q-once", 8).await;
    let epoch = ownership(&mut subscription).await;
    let delivered = next(&mut subscription).await;
    assert_eq!(delivered.notification, first);
    assert_eq!(delivered.receipt.epoch, epoch, "a delivery belongs to the ownership under which it came");
    assert_eq!(delivered.redeliveries, 0, "it was never out before");
    queue.ack(&delivered.receipt).await.expect("ack");
    depth_becomes(queue, "q-once", [0, 0, 0]).await;
    drop(subscription);

    let mut subscription = subscribe(queue, "q-once", 8).await;
    let second = notification(&name, 2);
    queue.publish(&second).await.expect("publish");
    assert_eq!(next(&mut subscription).await.notification.id, second.id, "the acked one is gone");
    nothing_comes(&mut subscription, "the acked one is gone").await;
}

/// `send_at` is kept, and does not hold back what comes after it.
pub async fn what_is_scheduled_is_not_delivered_early(queue: &Arc<dyn Queue>) {
    let name = bot("q-early");
    let mut subscription = subscribe(queue, "q-early", 8).await;
    let scheduled = later(&name, 1, Duration::from_millis(2_500));
    let plain = notification(&name, 2);
    queue.publish(&scheduled).await.expect("publish");
    queue.publish(&plain).await.expect("publish");
    assert_eq!(next(&mut subscription).await.notification.id, plain.id, "one that is due passes one that is not");
    let delivered = next(&mut subscription).await;
    assert_eq!(delivered.notification, scheduled);
    assert!(Timestamp::now() >= scheduled.send_at.expect("scheduled"), "delivered before its send_at");
    queue.ack(&delivered.receipt).await.expect("ack");

    let past = later(&name, 3, Duration::ZERO);
    queue.publish(&past).await.expect("publish");
    assert_eq!(next(&mut subscription).await.notification.id, past.id, "a send_at that is past is no send_at");
}

/// The window binds each lane by itself; an ack lets the next one out.
pub async fn a_lane_has_at_most_its_window_out(queue: &Arc<dyn Queue>) {
    let name = bot("q-window");
    for chat in 1..=10 {
        queue.publish(&notification(&name, chat)).await.expect("publish");
        queue.publish(&in_lane(&name, chat, Lane::Bulk)).await.expect("publish");
    }
    let mut subscription = subscribe(queue, "q-window", 3).await;
    let mut out = Vec::new();
    for _ in 0..6 {
        out.push(next(&mut subscription).await);
    }
    let bulk = out.iter().filter(|delivered| delivered.receipt.lane == Lane::Bulk).count();
    assert_eq!(bulk, 3, "three of each lane");
    nothing_comes(&mut subscription, "the windows of both lanes are full").await;
    let normal = out.iter().find(|delivered| delivered.receipt.lane == Lane::Normal).expect("three of them");
    queue.ack(&normal.receipt).await.expect("ack");
    let following = next(&mut subscription).await;
    assert_eq!((following.receipt.lane, following.notification.chat_id), (Lane::Normal, ChatId::Id(4)));
    nothing_comes(&mut subscription, "one ack lets one out").await;
}

/// A lane whose window is full, and a long queue behind it, holds back no urgent one.
pub async fn an_urgent_one_passes_a_full_lane(queue: &Arc<dyn Queue>) {
    let name = bot("q-urgent");
    for chat in 1..=50 {
        queue.publish(&notification(&name, chat)).await.expect("publish");
    }
    let mut subscription = subscribe(queue, "q-urgent", 4).await;
    next(&mut subscription).await;
    let urgent = in_lane(&name, 99, Lane::Urgent);
    queue.publish(&urgent).await.expect("publish");
    for _ in 0..3 {
        if next(&mut subscription).await.notification.id == urgent.id {
            return;
        }
    }
    assert_eq!(next(&mut subscription).await.notification.id, urgent.id, "all that may pass it is the window");
}

/// What a former owner says of its deliveries counts for nothing.
pub async fn a_receipt_of_an_earlier_ownership_is_stale(queue: &Arc<dyn Queue>, other: &Arc<dyn Queue>) {
    let sent = notification(&bot("q-stale"), 1);
    queue.publish(&sent).await.expect("publish");
    let mut former = subscribe(queue, "q-stale", 4).await;
    let old = next(&mut former).await;
    drop(former);
    let mut present = subscribe(other, "q-stale", 4).await;
    let new = next(&mut present).await;
    assert_eq!(new.notification.id, sent.id);
    assert_ne!((new.receipt.epoch, &new.receipt), (old.receipt.epoch, &old.receipt), "a new ownership, a new epoch");
    let acked = queue.ack(&old.receipt).await;
    assert!(matches!(acked, Err(QueueError::Stale)), "{acked:?}");
    let deferred = queue.defer(&old.receipt, &sent, Timestamp::now()).await;
    assert!(matches!(deferred, Err(QueueError::Stale)), "{deferred:?}");
    other.ack(&new.receipt).await.expect("the new receipt is good");
    depth_becomes(other, "q-stale", [0, 0, 0]).await;
    nothing_comes(&mut present, "the stale defer must not have put a copy there").await;
}

/// Dropping an subscription loses nothing and returns exactly what was not acked.
pub async fn what_was_unacked_comes_back_to_the_next_owner(queue: &Arc<dyn Queue>, other: &Arc<dyn Queue>) {
    let name = bot("q-back");
    for chat in 1..=10 {
        queue.publish(&notification(&name, chat)).await.expect("publish");
    }
    let mut former = subscribe(queue, "q-back", 6).await;
    let mut handed_out = HashSet::new();
    for _ in 0..6 {
        let delivered = next(&mut former).await;
        if delivered.notification.chat_id == ChatId::Id(2) {
            queue.ack(&delivered.receipt).await.expect("ack");
        } else {
            handed_out.insert(delivered.notification.chat_id);
        }
    }
    depth_becomes(queue, "q-back", [0, 9, 0]).await;
    drop(former);
    let mut present = subscribe(other, "q-back", 10).await;
    let mut seen = HashSet::new();
    for _ in 0..9 {
        let delivered = next(&mut present).await;
        let chat = delivered.notification.chat_id.clone();
        assert!(!handed_out.contains(&chat) || delivered.redeliveries > 0, "{chat} was out before");
        other.ack(&delivered.receipt).await.expect("ack");
        assert!(seen.insert(chat), "each comes back once");
    }
    assert!(!seen.contains(&ChatId::Id(2)), "the acked one stays away");
    assert!(handed_out.is_subset(&seen), "all that was unacked came back");
    nothing_comes(&mut present, "everything is acked").await;
}

/// A notification that takes its courier down every time can be told by its count.
pub async fn every_return_without_an_ack_is_counted(queue: &Arc<dyn Queue>) {
    queue.publish(&notification(&bot("q-count"), 1)).await.expect("publish");
    let mut last = None;
    for _ in 0..4 {
        let mut subscription = subscribe(queue, "q-count", 2).await;
        let count = next(&mut subscription).await.redeliveries;
        assert!(last.is_none_or(|last| count > last), "{count} returns after {last:?}");
        last = Some(count);
    }
}

/// A defer frees its place in the window, and what comes back is what was given, in time and only once.
pub async fn what_is_deferred_comes_back_changed_and_not_before_its_time(queue: &Arc<dyn Queue>) {
    let name = bot("q-defer");
    let (first, second) = (notification(&name, 1), notification(&name, 2));
    queue.publish(&first).await.expect("publish");
    queue.publish(&second).await.expect("publish");
    let mut subscription = subscribe(queue, "q-defer", 1).await;
    let out = next(&mut subscription).await;
    assert_eq!(out.notification.id, first.id);
    let mut changed = first.clone();
    changed.attempts = 3;
    changed.chat_id = ChatId::Id(-1_001_234_567_890);
    let until = Timestamp::now().plus(Duration::from_millis(2_500));
    queue.defer(&out.receipt, &changed, until).await.expect("defer");
    let passing = next(&mut subscription).await;
    assert_eq!(passing.notification.id, second.id, "the deferred one has left its place in the window");
    queue.ack(&passing.receipt).await.expect("ack");
    let back = next(&mut subscription).await;
    assert!(Timestamp::now() >= until, "back before its time");
    assert_eq!(back.notification, changed, "as it was given to defer");
    assert_ne!(back.receipt, out.receipt, "another delivery, another receipt");

    queue.defer(&back.receipt, &changed, Timestamp::now().minus(Duration::from_secs(5))).await.expect("defer");
    let again = next(&mut subscription).await;
    assert_eq!(again.notification.id, first.id, "a time that is past means at once");
    queue.ack(&again.receipt).await.expect("ack");
    depth_becomes(queue, "q-defer", [0, 0, 0]).await;
    nothing_comes(&mut subscription, "no defer leaves a copy behind").await;
}

/// Two subscriptions are never owners together; when the owner goes, the other owns, and gets what it held.
pub async fn one_owns_at_a_time_and_the_other_takes_over(queue: &Arc<dyn Queue>, other: &Arc<dyn Queue>) {
    let name = bot("q-owner");
    let mut owner = subscribe(queue, "q-owner", 4).await;
    let epoch = ownership(&mut owner).await;
    let mut standby = other.subscribe(&name, 4).await.expect("subscribe");
    let sent = notification(&name, 1);
    other.publish(&sent).await.expect("publish");
    assert_eq!(next(&mut owner).await.notification.id, sent.id, "the owner gets it");
    nothing_comes(&mut standby, "only the owner gets deliveries").await;
    assert_eq!(*standby.ownership.borrow(), None, "there is one owner at a time");
    assert_eq!(*owner.ownership.borrow(), Some(epoch), "nothing has taken the ownership away");
    drop(owner);
    assert_ne!(ownership(&mut standby).await, epoch, "a new ownership has a new epoch");
    let back = next(&mut standby).await;
    assert_eq!(back.notification.id, sent.id, "what the former owner held comes to the next");
    other.ack(&back.receipt).await.expect("ack");
    depth_becomes(other, "q-owner", [0, 0, 0]).await;
    drop(standby);
    let mut third = subscribe(queue, "q-owner", 4).await;
    nothing_comes(&mut third, "everything is acked").await;
}

/// A release gives the bot to who stands by, with what was left and with what is unacked, in its order. Who owns the bot
/// after that is told nothing: the owner in between has sent more.
pub async fn what_an_owner_leaves_reaches_the_next_and_nobody_after_it(queue: &Arc<dyn Queue>, other: &Arc<dyn Queue>) {
    let name = bot("q-release");
    let mut owner = subscribe(queue, "q-release", 2).await;
    assert_eq!(*owner.inherited.borrow(), None, "the first owner is told nothing");
    assert!(!*owner.release.borrow(), "one who has no more than its share is asked for nothing");
    let epoch = ownership(&mut owner).await;
    let mut standby = other.subscribe(&name, 4).await.expect("subscribe");
    for chat in 1..=4 {
        queue.publish(&notification(&name, chat)).await.expect("publish");
    }
    let (first, second) = (next(&mut owner).await, next(&mut owner).await);
    queue.ack(&first.receipt).await.expect("ack");
    let departures = vec![Departure { age_ms: 40, chat: ChatId::Id(1), messages: 1 }];
    let frozen_chats = vec![FrozenChat { chat: ChatId::Id(2), frozen_ms: 75_000 }];
    let left = HandOver { departures, frozen_ms: 1_500, frozen_chats };
    let stale = queue.release(&name, epoch + 1, left.clone()).await;
    assert!(matches!(stale, Err(QueueError::Stale)), "{stale:?}");
    assert_eq!(*owner.ownership.borrow(), Some(epoch), "another epoch's release changes nothing");
    queue.release(&name, epoch, left.clone()).await.expect("release");
    assert_ne!(ownership(&mut standby).await, epoch, "a new ownership has a new epoch");
    assert_eq!(*standby.inherited.borrow(), Some(left), "the next owner is told");
    assert_eq!(*owner.ownership.borrow(), None, "there is one owner at a time");
    for result in [queue.ack(&second.receipt).await, queue.release(&name, epoch, HandOver::default()).await] {
        assert!(matches!(result, Err(QueueError::Stale)), "{result:?}");
    }
    for chat in 2..=3 {
        let delivered = next(&mut standby).await;
        assert_eq!(delivered.notification.chat_id, ChatId::Id(chat), "in its order");
        other.ack(&delivered.receipt).await.expect("ack");
    }
    drop(standby);
    assert_ne!(ownership(&mut owner).await, epoch, "who gave it away stands by");
    assert_eq!(*owner.inherited.borrow(), None, "what was left is of no use after another ownership");
    // A delivery of the first ownership may still be on its way to its subscriber.
    let mut delivered = next(&mut owner).await;
    while delivered.receipt.epoch == epoch {
        delivered = next(&mut owner).await;
    }
    assert_eq!(delivered.notification.chat_id, ChatId::Id(4), "the rest");
    queue.ack(&delivered.receipt).await.expect("ack");
    depth_becomes(queue, "q-release", [0, 0, 0]).await;
}

/// By lane; what is out unacked still counts.
pub async fn depth_counts_what_is_ready_or_unacked(queue: &Arc<dyn Queue>) {
    let name = bot("q-depth");
    depth_becomes(queue, "q-depth", [0, 0, 0]).await;
    for (lane, count) in Lane::ALL.into_iter().zip([2, 3, 1]) {
        for chat in 1..=count {
            queue.publish(&in_lane(&name, chat, lane)).await.expect("publish");
        }
    }
    depth_becomes(queue, "q-depth", [2, 3, 1]).await;
    let mut subscription = subscribe(queue, "q-depth", 10).await;
    let mut out = Vec::new();
    for _ in 0..6 {
        out.push(next(&mut subscription).await);
    }
    depth_becomes(queue, "q-depth", [2, 3, 1]).await;
    for delivered in out {
        queue.ack(&delivered.receipt).await.expect("ack");
    }
    depth_becomes(queue, "q-depth", [0, 0, 0]).await;
}

/// First published, first delivered, also when the consumer acks as it goes.
pub async fn a_lane_keeps_the_order_of_publishing(queue: &Arc<dyn Queue>) {
    let name = bot("q-order");
    for chat in 1..=100 {
        queue.publish(&notification(&name, chat)).await.expect("publish");
    }
    let mut subscription = subscribe(queue, "q-order", 7).await;
    for chat in 101..=200 {
        queue.publish(&notification(&name, chat)).await.expect("publish");
    }
    for chat in 1..=200 {
        let delivered = next(&mut subscription).await;
        assert_eq!(delivered.notification.chat_id, ChatId::Id(chat));
        queue.ack(&delivered.receipt).await.expect("ack");
    }
}

/// Nothing is lost or doubled in a crowd.
pub async fn a_thousand_concurrent_publishes_all_arrive(queue: &Arc<dyn Queue>, other: &Arc<dyn Queue>) {
    let name = bot("q-many");
    let crowd: Vec<_> = (1..=1_000).map(|chat| in_lane(&name, chat, Lane::ALL[chat as usize % 3])).collect();
    let mut subscription = subscribe(queue, "q-many", 50).await;
    let publish = try_join_all(crowd.iter().enumerate().map(|(i, sent)| match i % 2 {
        0 => queue.publish(sent),
        _ => other.publish(sent),
    }));
    let receive = async {
        let mut seen = HashSet::<NotificationId>::new();
        while seen.len() < crowd.len() {
            let delivered = next(&mut subscription).await;
            assert!(seen.insert(delivered.notification.id), "delivered twice");
            queue.ack(&delivered.receipt).await.expect("ack");
        }
        seen
    };
    let (published, seen) = tokio::join!(publish, receive);
    published.expect("publish");
    assert!(crowd.iter().all(|sent| seen.contains(&sent.id)));
    depth_becomes(queue, "q-many", [0, 0, 0]).await;
}

/// One bot's lanes are nobody else's.
pub async fn bots_are_apart(queue: &Arc<dyn Queue>) {
    let (this, that) = (notification(&bot("q-this"), 1), notification(&bot("q-that"), 1));
    queue.publish(&this).await.expect("publish");
    queue.publish(&that).await.expect("publish");
    let mut these = subscribe(queue, "q-this", 4).await;
    assert_eq!(next(&mut these).await.notification, this);
    nothing_comes(&mut these, "the rest is another bot's").await;
    let mut those = subscribe(queue, "q-that", 4).await;
    assert_eq!(next(&mut those).await.notification, that);
    depth_becomes(queue, "q-this", [0, 1, 0]).await;
}

/// Parameters travel byte for byte, in their order.
pub async fn everything_in_a_notification_arrives_unbent(queue: &Arc<dyn Queue>) {
    let sent = demanding(&bot("q-whole"));
    queue.publish(&sent).await.expect("publish");
    let mut subscription = subscribe(queue, "q-whole", 4).await;
    let came = next(&mut subscription).await;
    assert_eq!(came.notification, sent);
    assert_eq!(text_of(&came.notification), text_of(&sent), "byte for byte");
    queue.ack(&came.receipt).await.expect("ack");
}
