//! When a callback is tried again.

use super::try_error::TryError;
use crate::domain::Timestamp;
use crate::ports::Callback;
use std::time::Duration;

/// The longest pauses after the first, the second failure and so on, in seconds; the last is for all that follow.
const PAUSES_SECONDS: [u64; 8] = [5, 30, 2 * 60, 10 * 60, 30 * 60, 3600, 2 * 3600, 4 * 3600];
/// By how much of it a pause may be shorter, at random: so that many that failed together do not come back together.
const JITTER: f64 = 0.2;
/// For so long it is tried, from when it was the first in its line.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// So often it is tried at least: nobody may have been there to try it for a day.
const MIN_TRIES: u32 = 5;
/// The longest that a receiver may ask us to wait.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(4 * 3600);

/// When to try one again that has just failed; `None` to give it up. `random` is in 0..1: at 1 there is no jitter.
pub fn next_try(callback: &Callback, error: &TryError, now: Timestamp, random: f64) -> Option<Timestamp> {
    if *error == TryError::Gone {
        return None;
    }
    let failures = usize::try_from(callback.tries).unwrap_or(usize::MAX);
    let longest = Duration::from_secs(PAUSES_SECONDS[failures.min(PAUSES_SECONDS.len() - 1)]);
    let pause = longest.mul_f64(1.0 - JITTER * (1.0 - random));
    let asked = match error {
        TryError::Status(429 | 503, Some(retry_after)) => (*retry_after).min(MAX_RETRY_AFTER),
        _ => Duration::ZERO,
    };
    let next = now.plus(pause.max(asked));
    (next <= callback.since.plus(LIFETIME) || callback.tries + 1 < MIN_TRIES).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CallbackEvent, CallbackState, CallbackUrl, Notification, Record, RecordUpdate, Status};
    use serde_json::json;

    fn callback() -> Callback {
        let mut notification: Notification = serde_json::from_value(json!({
            "v": 1, "id": "019acf3a-7b1c-7d3e-8f21-5a6b7c8d9e0f", "bot": "shop", "chat_id": 7, "lane": "normal",
            "delivery": "at_least_once", "call": {"method": "sendMessage", "params": {"text": "x"}, "media": []},
            "accepted_at": "2026-11-21T09:30:00Z", "expires_at": "2026-11-22T09:30:00Z",
        }))
        .unwrap();
        notification.callback_url = Some(CallbackUrl::parse("https://a.example/").unwrap());
        let mut record = Record::accepted(notification);
        record.apply(RecordUpdate::of(Status::Sent, Timestamp::parse("2026-11-21T09:30:01Z").unwrap()));
        let event = CallbackEvent::of(&record).unwrap();
        let since = event.ended_at;
        Callback { event, state: CallbackState::Waiting, tries: 0, since, error: None, next_try_at: None }
    }

    #[test]
    fn it_is_tried_for_a_day_ever_more_seldom() {
        let (mut callback, error) = (callback(), TryError::Status(500, None));
        let (mut now, mut pauses) = (callback.since, Vec::new());
        while let Some(next) = next_try(&callback, &error, now, 1.0) {
            pauses.push(next.since(now).as_secs());
            now = next;
            callback.tries += 1;
        }
        assert_eq!(pauses, [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 14_400, 14_400, 14_400, 14_400]);
        assert_eq!(
            next_try(&self::callback(), &error, callback.since, 0.0),
            Some(callback.since.plus(Duration::from_secs(4)))
        );
    }

    #[test]
    fn a_receiver_may_ask_for_a_pause_and_for_the_end() {
        let (callback, hour) = (callback(), Duration::from_secs(3600));
        let next =
            |error: TryError| next_try(&callback, &error, callback.since, 1.0).map(|next| next.since(callback.since));
        assert_eq!(next(TryError::Status(503, Some(hour))), Some(hour));
        assert_eq!(next(TryError::Status(429, Some(100 * hour))), Some(4 * hour));
        assert_eq!(next(TryError::Status(500, Some(hour))), Some(Duration::from_secs(5)));
        assert_eq!(next(TryError::Gone), None);
    }

    #[test]
    fn what_nobody_tried_for_a_day_is_tried_five_times_all_the_same() {
        let (mut callback, error) = (callback(), TryError::Timeout(Duration::from_secs(15)));
        let later = callback.since.plus(Duration::from_secs(3 * 24 * 3600));
        for tries in 0..MIN_TRIES {
            callback.tries = tries;
            assert_eq!(next_try(&callback, &error, later, 1.0).is_some(), tries < MIN_TRIES - 1, "{tries}");
        }
    }
}
