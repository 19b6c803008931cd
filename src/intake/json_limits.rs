//! How large and how deeply nested the JSON of a request may be, so that it can be stored and read back.

use super::rejection::{ProblemCode, Rejection};
use crate::domain::Notification;
use serde_json::Value;

/// How deep the value of a field may be nested; Telegram's keyboards have five levels.
pub const MAX_NESTING_LEVELS: usize = 32;
/// How deep a parameter of a call may be nested to be stored. What is made of a field (a file with its attributes) may be
/// a level or two deeper than that, and a record is six around the parameters of what follows; serde_json reads 127.
const MAX_STORED_LEVELS: usize = 64;
/// How long the JSON text of a field may be that is an object or an array.
pub const STRUCTURE_LIMIT_BYTES: usize = 32 * 1024;

/// How deep a JSON text is nested, if it is one.
pub fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The rejection of a field that is nested too deep.
pub fn too_deep(name: &str) -> Rejection {
    Rejection::invalid(name, &format!("is nested deeper than {MAX_NESTING_LEVELS} levels"))
}

/// The rejection of a field whose JSON text is longer than `limit` bytes.
pub fn too_large(name: &str, limit: usize) -> Rejection {
    Rejection::invalid(name, &format!("is longer than {limit} bytes of JSON"))
}

/// Rejects what could be serialised but not read back: it would block its lane, and every listing that it is on. The other
/// parts of a notification are of types that can be read back whatever they hold.
pub fn check_readable(notification: &Notification) -> Result<(), Rejection> {
    let calls = std::iter::once(&notification.call).chain(notification.then.iter().map(|next| &next.call));
    if calls.flat_map(|call| call.params.values()).all(|value| is_readable(value, MAX_STORED_LEVELS)) {
        return Ok(());
    }
    let detail = "Something in the request could not be read again once it is written down; is it nested too deep?";
    Err(Rejection::new(ProblemCode::InvalidField, detail))
}

fn is_readable(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_readable(item, levels - 1)),
        Value::Object(members) => levels > 0 && members.values().all(|member| is_readable(member, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BotName, Call, ChatId, DeliveryGuarantee, FollowUp, Lane, NotificationId, Record, Timestamp};
    use fastrand::Rng;

    fn call(params: Vec<(String, Value)>) -> Call {
        Call { method: "sendPhoto".to_owned(), params: params.into_iter().collect(), media: Vec::new() }
    }

    fn with(params: Vec<(String, Value)>) -> Notification {
        let now = Timestamp::now();
        Notification {
            v: Notification::VERSION,
            id: NotificationId::new(),
            accepted_at: now,
            send_at: None,
            expires_at: now,
            bot: BotName::default_bot(),
            chat_id: ChatId::Id(1),
            lane: Lane::Normal,
            delivery: DeliveryGuarantee::AtLeastOnce,
            call: call(params),
            tags: Vec::new(),
            attempts: 0,
            deferral: None,
            first_accepted_at: None,
            reply_to: None,
            follows: None,
            then: Vec::new(),
            client: None,
            callback_url: None,
        }
    }

    fn read_back(notification: &Notification) -> Option<Record> {
        let text = serde_json::to_vec(&Record::accepted(notification.clone())).unwrap();
        serde_json::from_slice(&text).ok()
    }

    fn nested(levels: usize) -> Value {
        (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]))
    }

    #[test]
    fn what_could_not_be_read_back_is_rejected_before_it_is_written() {
        let one = |value: Value| with(vec![("x".to_owned(), value)]);
        let following = |value: Value| {
            let call = call(vec![("x".to_owned(), value)]);
            Notification { then: vec![FollowUp { id: NotificationId::new(), call }], ..with(Vec::new()) }
        };
        let unreadable = Err(ProblemCode::InvalidField);
        let checked = |notification: &Notification| check_readable(notification).map_err(|rejection| rejection.code);
        for made in [one as fn(Value) -> Notification, following] {
            // What is made of a field may be a little deeper than the field.
            assert_eq!(checked(&made(nested(MAX_NESTING_LEVELS + 4))), Ok(()));
            let deepest = (1..200).rev().find(|levels| read_back(&made(nested(*levels))).is_some()).unwrap();
            assert!(deepest >= MAX_STORED_LEVELS, "only {deepest} levels are read back");
            for levels in [MAX_STORED_LEVELS + 1, deepest + 1, 10_000] {
                assert_eq!(checked(&made(nested(levels))), unreadable, "{levels} levels");
            }
            assert_eq!(checked(&made(f64::MAX.into())), Ok(()));
        }
    }

    /// A value of any kind, most of them nested around the limit.
    fn value(random: &mut Rng, levels: usize) -> Value {
        let word = |random: &mut Rng| -> String { (0..random.usize(..4)).map(|_| random.char('\0'..)).collect() };
        if levels == 0 {
            return match random.u8(..6) {
                0 => Value::Null,
                1 => random.bool().into(),
                2 => random.i64(..).into(),
                3 => random.u64(..).into(),
                4 => f64::from_bits(random.u64(..)).into(),
                _ => word(random).into(),
            };
        }
        let leaf = |random: &mut Rng| value(random, 0);
        let inner = [leaf(random), value(random, levels - 1), leaf(random)];
        match random.bool() {
            true => Value::Array(inner.into()),
            false => ["a", "b", "c"]
                .into_iter()
                .zip(inner)
                .map(|(name, member)| (name.to_owned() + &word(random), member))
                .collect(),
        }
    }

    #[test]
    fn whatever_passes_is_read_back() {
        let mut random = Rng::with_seed(11);
        let (mut passed, mut rejected) = (0, 0);
        for _ in 0..4_000 {
            let levels = [random.usize(..4), random.usize(..140)][random.usize(..2)];
            let mut notification = with(vec![("a".to_owned(), value(&mut random, levels))]);
            if random.bool() {
                let call = call(vec![("b".to_owned(), value(&mut random, levels))]);
                notification.then = vec![FollowUp { id: NotificationId::new(), call }];
            }
            match check_readable(&notification) {
                Ok(()) => {
                    let record = read_back(&notification).unwrap_or_else(|| panic!("{:?}", notification.call.params));
                    // What is read is written as it was, so it is read for ever.
                    assert!(read_back(&record.notification).is_some());
                    passed += 1;
                }
                Err(_) => rejected += 1,
            }
        }
        assert!(passed > 1_000 && rejected > 500, "{passed} passed, {rejected} were rejected");
    }
}
