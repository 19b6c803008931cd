//! How a delivery ended, as a response of the Bot API.

use super::error::BotApiError;
use crate::domain::{AttemptOutcome, Failure, FailureClass, NotificationId, Record, Status, Timestamp};
use crate::ports::{Ledger, Outcome};
use serde_json::Value;

/// The `retry_after` of a 429 if it is not known when the call's turn would have come, in seconds.
const DEFAULT_RETRY_AFTER_SECONDS: u64 = 5;

/// The result of a delivery, or the error to give instead.
pub async fn read(ledger: &dyn Ledger, id: NotificationId, outcome: Option<Outcome>) -> Result<Value, BotApiError> {
    let Some(Outcome { status, result, failure, turn }) = outcome else { return Err(unknown(id)) };
    match (status, failure, result) {
        (Status::Sent | Status::Failed, Some(failure), _) => Err(failed(id, failure)),
        (Status::Sent, None, Some(result)) => Ok(result),
        (Status::Expired | Status::Refused, ..) => match ledger.get(id).await {
            Ok(record) => Err(expired(id, turn, record)),
            // It may have been attempted, and sent.
            Err(_) => Err(unknown(id)),
        },
        (Status::Cancelled, ..) => Err(BotApiError::bad(&format!("notification {id} was cancelled"))),
        _ => Err(unknown(id)),
    }
}

/// Telegram's error as it came, or an internal error if it failed here. If the last attempt had no answer, or only that of
/// a proxy, nobody knows whether the message was sent.
fn failed(id: NotificationId, failure: Failure) -> BotApiError {
    match failure.error_code {
        Some(code @ 400..500) => BotApiError::api(code, failure.description),
        _ if matches!(failure.class, FailureClass::Exhausted | FailureClass::Ambiguous) => unknown(id),
        Some(code @ 500..600) => BotApiError::api(code, failure.description),
        _ => BotApiError::api(500, format!("Internal Server Error: {} (notification {id})", failure.description)),
    }
}

/// The caller's time was up: a 429, so that it tries again, unless the message may have been sent after all, or Telegram
/// kept the whole bot from sending.
fn expired(id: NotificationId, turn: Option<Timestamp>, record: Option<Record>) -> BotApiError {
    let attempts = record.map(|record| record.attempts).unwrap_or_default();
    if attempts.iter().any(|attempt| attempt.outcome == AttemptOutcome::Ambiguous) {
        return unknown(id);
    }
    if let Some(last) = attempts.last().filter(|last| last.outcome == AttemptOutcome::Configuration)
        && let (Some(code @ 400..600), Some(words)) = (last.error_code, &last.reason)
    {
        return BotApiError::api(code, words.clone());
    }
    let wait = turn.map(|turn| turn.since(Timestamp::now()).as_millis().div_ceil(1000));
    BotApiError::too_many(
        wait.and_then(|wait| u64::try_from(wait).ok()).filter(|wait| *wait > 0).unwrap_or(DEFAULT_RETRY_AFTER_SECONDS),
    )
}

fn unknown(id: NotificationId) -> BotApiError {
    let words = format!(
        "Internal Server Error: it is not known whether the message was sent; notification {id} may tell later"
    );
    BotApiError::api(500, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_telegram_come_back_and_what_nobody_knows_is_not_called_failed() {
        let id = NotificationId::from_number(7);
        let response = |class, error_code| {
            let error = failed(id, Failure { class, error_code, description: "words".to_owned() });
            let unknown = error == super::unknown(id);
            (unknown, error == BotApiError::api(error_code.unwrap_or_default(), "words"))
        };
        assert_eq!(response(FailureClass::Request, Some(400)), (false, true));
        assert_eq!(response(FailureClass::Exhausted, Some(400)), (false, true));
        assert_eq!(response(FailureClass::Exhausted, Some(502)), (true, false));
        assert_eq!(response(FailureClass::Exhausted, None), (true, false));
        assert_eq!(response(FailureClass::Content, None), (false, false));
    }
}
