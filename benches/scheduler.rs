//! A step of the scheduler: the next notification goes out, ends, another comes for its chat, and what chats have beyond their shares
//! is looked for, since the window is nearly full, while so many chats have one waiting. Of texts; and of images of which no two are the
//! same, while as many are being uploaded as may be.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that cannot run should say so loudly")]

#[path = "shared/notification.rs"]
mod notification;

use criterion::{Criterion, criterion_group, criterion_main};
use pixcourier::delivery::mono_time::MonoTime;
use pixcourier::delivery::next_step::NextStep;
use pixcourier::delivery::scheduler::{EnqueueResult, NextSend, Place, Scheduler, SendJob};
use pixcourier::domain::{ChatId, Lane, MediaKind, Notification, NotificationId, Sha256};
use pixcourier::ports::{FileIds, FileKey};
use pixcourier::settings::RateLimits;
use std::collections::VecDeque;
use std::time::Duration;

/// One notification of a bot whose rate is 30 a second, and a little more; with one chat, its own rate of one a second counts.
const BOT_STEP: Duration = Duration::from_millis(34);
const CHAT_STEP: Duration = Duration::from_millis(1_001);

/// The next notification of a chat, whose number stands at the end of its id.
fn job(template: &mut Notification, sequence: &mut u128, chat: i64) -> SendJob {
    *sequence += 1;
    template.id = NotificationId::from_number(*sequence << 32 | chat as u128);
    SendJob {
        id: template.id,
        chat: ChatId::Id(chat),
        // No lane holds more than its window.
        lane: Lane::ALL[chat as usize % Lane::ALL.len()],
        place: Place::of(template),
        number: None,
        cost: 1,
        bytes: 300,
        images: Vec::new(),
    }
}

/// The same with an image of its own.
fn image(template: &mut Notification, sequence: &mut u128, chat: i64) -> SendJob {
    let job = job(template, sequence, chat);
    let sha256 = Sha256::of(&sequence.to_be_bytes());
    SendJob { images: vec![(FileKey { bot_id: 1, kind: MediaKind::Photo, sha256 }, 1_000)], ..job }
}

fn chat_of(id: NotificationId) -> i64 {
    (id.as_number() & u128::from(u32::MAX)) as i64
}

/// Each lane has a third of the chats, which nearly fills it.
fn window(chats: i64) -> u16 {
    u16::try_from(chats * 2 / 5).unwrap_or(u16::MAX).max(2)
}

fn images(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scheduler step, uploads at capacity");
    let (mut template, mut sequence) = (notification::photo(1), 0);
    let now = MonoTime::after(Duration::from_secs(100));
    let limits = RateLimits { bot_rate: 0.0, chat_rate: 0.0, group_rate_per_minute: 0, ..RateLimits::default() };
    for chats in [100, 1_000, 100_000] {
        let mut scheduler = Scheduler::new(limits, window(chats));
        for chat in 1..=chats {
            let admitted = scheduler.enqueue(now, image(&mut template, &mut sequence, chat));
            assert_eq!(admitted, EnqueueResult::Enqueued);
        }
        let mut uploading = VecDeque::new();
        group.bench_function(format!("{chats} chats"), |bencher| {
            bencher.iter(|| {
                while let NextSend::Now(dispatch) = scheduler.next(now) {
                    uploading.push_back(dispatch.id);
                }
                let ended = uploading.pop_front().unwrap();
                scheduler.finish(now, ended, NextStep::Done, FileIds::new(), true);
                let admitted = scheduler.enqueue(now, image(&mut template, &mut sequence, chat_of(ended)));
                assert_eq!(admitted, EnqueueResult::Enqueued);
            });
        });
    }
}

fn scheduler(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scheduler step");
    let (mut template, mut sequence) = (notification::photo(1), 0);
    for chats in [1, 1_000, 100_000] {
        let mut scheduler = Scheduler::new(RateLimits::default(), window(chats));
        let mut now = MonoTime::after(Duration::from_secs(100));
        for chat in 1..=chats {
            let admitted = scheduler.enqueue(now, job(&mut template, &mut sequence, chat));
            assert_eq!(admitted, EnqueueResult::Enqueued);
        }
        group.bench_function(format!("{chats} chats"), |bencher| {
            bencher.iter(|| {
                now = now + if chats == 1 { CHAT_STEP } else { BOT_STEP };
                let NextSend::Now(dispatch) = scheduler.next(now) else { panic!("nothing can be sent") };
                scheduler.finish(now, dispatch.id, NextStep::Done, FileIds::new(), true);
                let admitted = scheduler.enqueue(now, job(&mut template, &mut sequence, chat_of(dispatch.id)));
                assert_eq!(admitted, EnqueueResult::Enqueued);
                assert!(scheduler.shed(now).is_empty());
            });
        });
    }
}

criterion_group!(benches, scheduler, images);
criterion_main!(benches);
