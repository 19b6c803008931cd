//! What happens when the broker, the network or a worker goes. Prints what it counts and measures.

use crate::engines::contract::{self, bot, in_lane, next, nothing_comes, notification, ownership};
use crate::engines::rabbitmq::{connect, connected, is_ready, namespace};
use crate::support::{Proxy, Rabbit, amqp_url, port_of};
use pixcourier::domain::{Lane, NotificationId};
use pixcourier::ports::{Queue, QueueError, Subscription};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// What a load on the queue has seen.
#[derive(Default)]
struct Tally {
    attempted: HashSet<NotificationId>,
    confirmed: HashSet<NotificationId>,
    delivered: HashMap<NotificationId, u32>,
}

impl Tally {
    fn lost(&self) -> usize {
        self.confirmed.iter().filter(|id| !self.delivered.contains_key(id)).count()
    }

    fn report(&self, what: &str) {
        println!(
            "{what}: attempted {}, confirmed {}, unknown {}, delivered {}, lost {}, duplicates {}",
            self.attempted.len(),
            self.confirmed.len(),
            self.attempted.len() - self.confirmed.len(),
            self.delivered.len(),
            self.lost(),
            self.delivered.values().map(|times| times - 1).sum::<u32>(),
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_killed_under_load_loses_nothing_that_was_confirmed() {
    let mut rabbit = Rabbit::launch().await;
    let (url, namespace, name) = (rabbit.url(), namespace(), bot("load"));
    rabbit.kill9();
    let queue = connect(&url, &namespace);
    let away = Instant::now();
    assert!(matches!(queue.publish(&notification(&name, 1)).await, Err(QueueError::Unavailable(_))));
    assert!(away.elapsed() < Duration::from_millis(500), "with no connection the answer comes at once");
    let mut subscription = queue.subscribe(&name, 20).await.unwrap();
    rabbit.start().await;
    is_ready(&queue).await;
    ownership(&mut subscription).await;

    let running = Arc::new(AtomicBool::new(true));
    let publishers: Vec<_> = (0..8)
        .map(|chat| {
            let (queue, running, name) = (queue.clone(), running.clone(), name.clone());
            tokio::spawn(async move {
                let (mut attempted, mut confirmed, mut longest) = (Vec::new(), Vec::new(), Duration::ZERO);
                while running.load(Ordering::Relaxed) {
                    let sent = in_lane(&name, chat + 1, Lane::ALL[fastrand::usize(..3)]);
                    attempted.push(sent.id);
                    let since = Instant::now();
                    match queue.publish(&sent).await {
                        Ok(()) => confirmed.push(sent.id),
                        // The pace of a publisher that is refused.
                        Err(QueueError::Unavailable(_) | QueueError::Unconfirmed(_)) => {
                            sleep(Duration::from_millis(20)).await;
                        }
                        Err(other) => panic!("{other}"),
                    }
                    longest = longest.max(since.elapsed());
                }
                (attempted, confirmed, longest)
            })
        })
        .collect();
    let mut tally = Tally::default();
    let consume = async |subscription: &mut Subscription, tally: &mut Tally, until: Instant| {
        while let Ok(Some(delivered)) = tokio::time::timeout_at(until, subscription.deliveries.recv()).await {
            *tally.delivered.entry(delivered.notification.id).or_default() += 1;
            let _ = queue.ack(&delivered.receipt).await;
        }
    };
    for round in 0..2 {
        let (epoch, count) = (ownership(&mut subscription).await, tally.delivered.len());
        consume(&mut subscription, &mut tally, Instant::now() + Duration::from_secs(2)).await;
        assert!(tally.delivered.len() > count, "consuming goes on");
        rabbit.kill9();
        let killed = Instant::now();
        timeout(Duration::from_secs(1), subscription.ownership.wait_for(Option::is_none))
            .await
            .expect("noticed")
            .unwrap();
        println!("round {round}: ownership ended {:?} after the kill", killed.elapsed());
        let restart = async {
            rabbit.start().await;
            Instant::now()
        };
        let mut first = None;
        let resume = async {
            while first.is_none() {
                let delivered =
                    timeout(Duration::from_secs(60), subscription.deliveries.recv()).await.unwrap().unwrap();
                *tally.delivered.entry(delivered.notification.id).or_default() += 1;
                if queue.ack(&delivered.receipt).await.is_ok() {
                    first = Some(Instant::now());
                }
            }
            first.unwrap()
        };
        let (ready, resumed) = tokio::join!(restart, resume);
        println!(
            "round {round}: consuming again {:?} after the broker was ready",
            resumed.saturating_duration_since(ready)
        );
        assert!(resumed.saturating_duration_since(ready) < Duration::from_secs(5));
        assert_ne!(ownership(&mut subscription).await, epoch, "a new ownership");
    }
    consume(&mut subscription, &mut tally, Instant::now() + Duration::from_secs(2)).await;
    running.store(false, Ordering::Relaxed);
    for publisher in publishers {
        let (attempted, confirmed, longest) = publisher.await.unwrap();
        tally.attempted.extend(attempted);
        tally.confirmed.extend(confirmed);
        assert!(longest < Duration::from_secs(3), "a publish took {longest:?}");
    }
    while tally.lost() > 0 {
        let before = tally.delivered.len();
        consume(&mut subscription, &mut tally, Instant::now() + Duration::from_secs(3)).await;
        assert!(tally.delivered.len() > before, "{} confirmed ones never came", tally.lost());
    }
    tally.report("killed twice");
    assert_eq!(tally.lost(), 0);

    // The prefetch is still what it was.
    consume(&mut subscription, &mut tally, Instant::now() + Duration::from_secs(1)).await;
    for chat in 1..=100 {
        queue.publish(&notification(&name, chat)).await.unwrap();
    }
    for _ in 0..20 {
        next(&mut subscription).await;
    }
    nothing_comes(&mut subscription, "the window is full").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_does_not_answer_or_takes_nothing_is_said_in_time() {
    let rabbit = Rabbit::launch().await;
    let (name, namespace) = (bot("mute"), namespace());
    let queue = connected(&rabbit.url(), &namespace).await;
    queue.publish(&notification(&name, 1)).await.unwrap();
    let mut subscription = queue.subscribe(&name, 5).await.unwrap();
    let out = next(&mut subscription).await;

    // Out of memory: publishing must fail, acking must not, or nothing would ever get better.
    rabbit.ctl(&["set_vm_memory_high_watermark", "absolute", "1"]);
    let refused = async || {
        let since = Instant::now();
        let answer = queue.publish(&notification(&name, 2)).await;
        assert!(since.elapsed() < Duration::from_secs(3), "an answer after {:?}", since.elapsed());
        matches!(answer, Err(QueueError::Unavailable(_)))
    };
    contract::eventually("the alarm", true, refused).await;
    assert!(queue.ready().await.is_err(), "not ready in an alarm");
    queue.ack(&out.receipt).await.expect("acks go on in an alarm");
    assert!(subscription.ownership.borrow().is_some());
    rabbit.ctl(&["set_vm_memory_high_watermark", "0.8"]);
    is_ready(&queue).await;
    let third = notification(&name, 3);
    queue.publish(&third).await.expect("the alarm is over");
    while next(&mut subscription).await.notification.id != third.id {}

    // Full, as an operator's policy says.
    let full = bot("full");
    let lanes = format!("^{namespace}\\.full\\.");
    rabbit.ctl(&["set_policy", "cap", &lanes, "{\"max-length\":5}", "--apply-to", "queues"]);
    let mut answer = Ok(());
    for chat in 1..=100 {
        answer = queue.publish(&notification(&full, chat)).await;
        if answer.is_err() {
            break;
        }
    }
    assert!(matches!(answer, Err(QueueError::Full(_))), "{answer:?}");

    rabbit.pause();
    let since = Instant::now();
    let crowd: Vec<_> = (0..200).map(|chat| notification(&name, chat)).collect();
    let answers = futures_util::future::join_all(crowd.iter().map(|sent| queue.publish(sent))).await;
    println!("a frozen broker was said after {:?}", since.elapsed());
    assert!(since.elapsed() < Duration::from_secs(3));
    // It may have them all the same, in its socket.
    assert!(answers.iter().all(|answer| matches!(answer, Err(QueueError::Unconfirmed(_)))), "{answers:?}");
    assert!(queue.ready().await.is_err(), "not ready while nothing is confirmed");
    let ended = timeout(Duration::from_secs(7), subscription.ownership.wait_for(Option::is_none)).await;
    ended.expect("an owner cut off from the broker notices").unwrap();
    println!("a frozen broker ended the ownership after {:?}", since.elapsed());
    rabbit.resume();
    let resumed = Instant::now();
    is_ready(&queue).await;
    ownership(&mut subscription).await;
    println!("owner again {:?} after the broker went on", resumed.elapsed());
    let fourth = notification(&name, 4);
    queue.publish(&fourth).await.unwrap();
    let mut subscription = subscription;
    loop {
        let delivered = next(&mut subscription).await;
        let _ = queue.ack(&delivered.receipt).await;
        if delivered.notification.id == fourth.id {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_or_freezes_is_replaced_and_never_overlaps() {
    let (url, namespace, name) = (amqp_url(), namespace(), bot("taken"));
    let port = port_of(&url);
    let (first_network, second_network) = (Proxy::to(port).await, Proxy::to(port).await);
    let first = connected(&first_network.url(&url, port), &namespace).await;
    let mut one = first.subscribe(&name, 5).await.unwrap();
    ownership(&mut one).await;
    let second = connected(&second_network.url(&url, port), &namespace).await;
    let mut two = second.subscribe(&name, 5).await.unwrap();
    let sent = notification(&name, 1);
    second.publish(&sent).await.unwrap();
    let held = next(&mut one).await;
    nothing_comes(&mut two, "the first worker owns").await;

    first_network.cut();
    let since = Instant::now();
    ownership(&mut two).await;
    println!("a dead worker was replaced after {:?}", since.elapsed());
    assert!(since.elapsed() < Duration::from_secs(1));
    contract::eventually("the dead one's ownership", None, async || *one.ownership.borrow()).await;
    assert!(matches!(first.ack(&held.receipt).await, Err(QueueError::Stale)));
    assert_eq!(next(&mut two).await.notification.id, sent.id, "what it held came back");

    first_network.restore();
    is_ready(&first).await;
    nothing_comes(&mut one, "the second worker owns now").await;
    second_network.freeze();
    let since = Instant::now();
    let lost = async {
        two.ownership.wait_for(Option::is_none).await.unwrap();
        Instant::now()
    };
    let won = async {
        ownership(&mut one).await;
        Instant::now()
    };
    let (lost, won) = tokio::join!(timeout(Duration::from_secs(25), lost), timeout(Duration::from_secs(25), won));
    let (lost, won) = (lost.expect("a frozen owner notices"), won.expect("a frozen owner is replaced"));
    println!("a frozen owner noticed after {:?} and was replaced after {:?}", lost - since, won - since);
    assert!(lost < won, "two owners at once for {:?}", lost - won);
    assert!(lost - since < Duration::from_secs(7), "well before the broker can notice");
    assert_eq!(next(&mut one).await.notification.id, sent.id);
}

/// A queue without a leader, as a broker may leave it that was killed just after its declaration.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_answers_nothing_does_not_use_up_the_channels() {
    const SUBSCRIPTIONS: usize = 100;
    let rabbit = Rabbit::launch().await;
    let (mute, well, namespace) = (bot("mute"), bot("well"), namespace());
    let queue = connected(&rabbit.url(), &namespace).await;
    let mut unaffected = queue.subscribe(&well, 5).await.unwrap();
    let first = ownership(&mut unaffected).await;
    ownership(&mut queue.subscribe(&mute, 5).await.unwrap()).await;
    let member = format!("'%2F_{namespace}.mute.owner'");
    rabbit.ctl(&["eval", &format!("sys:suspend({member}).")]);
    let mut waiting = Vec::new();
    for _ in 0..SUBSCRIPTIONS {
        waiting.push(queue.subscribe(&mute, 5).await.unwrap());
    }
    let since = Instant::now();
    let renewed = unaffected.ownership.wait_for(|epoch| epoch.is_some_and(|epoch| epoch != first));
    let second = *timeout(Duration::from_secs(90), renewed).await.expect("the channels are freed").unwrap();
    println!("{SUBSCRIPTIONS} subscriptions to a mute queue: the connection was renewed after {:?}", since.elapsed());

    let changed = timeout(Duration::from_secs(1), unaffected.ownership.changed()).await;
    assert!(changed.is_err(), "{second:?} did not last: the other bot is to be left in peace");
    drop(waiting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_confirms_nothing_holds_back_no_other_bot() {
    const CALLERS: i64 = 300;
    let rabbit = Rabbit::launch().await;
    let (mute, well, namespace) = (bot("mute"), bot("well"), namespace());
    connected(&rabbit.url(), &namespace).await.publish(&notification(&mute, 1)).await.unwrap();
    // A process that has not declared anything yet: it has to ask for the queue first.
    let queue = connected(&rabbit.url(), &namespace).await;
    rabbit.ctl(&["eval", &format!("sys:suspend('%2F_{namespace}.mute.normal').")]);
    let waiting: Vec<_> = (1..=CALLERS)
        .map(|chat| {
            let (queue, sent) = (queue.clone(), notification(&mute, chat));
            tokio::spawn(async move { queue.publish(&sent).await })
        })
        .collect();
    let mut longest = Duration::ZERO;
    for chat in 1..=20 {
        let since = Instant::now();
        queue.publish(&notification(&well, chat)).await.unwrap();
        longest = longest.max(since.elapsed());
    }
    println!("beside {CALLERS} callers of a mute queue the longest publish took {longest:?}");
    assert!(waiting.iter().all(|caller| !caller.is_finished()), "they are still waiting");
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_starts_during_an_alarm_delivers() {
    const WAITING: i64 = 20;
    let rabbit = Rabbit::launch().await;
    let (name, namespace) = (bot("alarm"), namespace());
    let former = connected(&rabbit.url(), &namespace).await;
    ownership(&mut former.subscribe(&name, 5).await.unwrap()).await;
    for chat in 1..=WAITING {
        former.publish(&notification(&name, chat)).await.unwrap();
    }
    rabbit.ctl(&["set_vm_memory_high_watermark", "0.0001"]);
    let refused =
        async || former.publish(&notification(&name, 99)).await.is_err_and(|e| e.to_string().contains("alarm"));
    contract::eventually("an alarm", true, refused).await;
    former.close().await;

    let queue = connect(&rabbit.url(), &namespace);
    let outcomes = queue.outcome_notifier();
    let mut subscription = queue.subscribe(&name, 5).await.unwrap();
    ownership(&mut subscription).await;
    let since = Instant::now();
    for chat in 1..=WAITING {
        let delivered = next(&mut subscription).await;
        queue.ack(&delivered.receipt).await.unwrap_or_else(|error| panic!("the ack of number {chat}: {error}"));
    }
    contract::eventually("an empty lane", [0, 0, 0], async || queue.depth(&name).await.unwrap().lanes).await;
    println!("{WAITING} delivered and acked during an alarm in {:?}", since.elapsed());

    rabbit.ctl(&["set_vm_memory_high_watermark", "0.8"]);
    let published = async || queue.publish(&notification(&name, 1)).await.is_ok();
    contract::eventually("the end of the alarm", true, published).await;
    let listens = async || !outcomes.listen(NotificationId::new()).address.is_empty();
    contract::eventually("an address for outcomes", true, listens).await;
}
