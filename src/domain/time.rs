//! Wall-clock moments: what people are told, and what one process leaves to another (flood waits and windows in the ledger,
//! expiry, `send_at`), whose clocks must agree. What a courier counts by itself is monotonic (`delivery::mono_time`).

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::fmt;
use std::time::Duration;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// A moment in UTC with millisecond precision, written as RFC 3339 (`2026-11-21T09:30:00.125Z`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The wall clock now; in a test, the clock of its thread if `set_clock` has set one.
    pub fn now() -> Self {
        #[cfg(test)]
        if let Some(now) = test_clock::now() {
            return now;
        }
        let nanos = OffsetDateTime::now_utc().unix_timestamp_nanos();
        Self(i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX))
    }

    /// Puts a clock in place of the wall clock, for a simulation that runs on this thread; `None` takes it away.
    #[cfg(test)]
    pub fn set_clock(clock: Option<Box<dyn Fn() -> Timestamp>>) {
        test_clock::CLOCK.replace(clock);
    }

    /// From milliseconds since the Unix epoch, clamped to the years that RFC 3339 can write.
    pub fn from_unix_millis(millis: i64) -> Self {
        const LAST: i64 = 253_402_300_799_999;
        Self(millis.clamp(0, LAST))
    }

    /// Milliseconds since the Unix epoch.
    pub fn unix_millis(self) -> i64 {
        self.0
    }

    /// Parses RFC 3339 with any offset; `None` if it is not that.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let millis = parsed.unix_timestamp_nanos() / 1_000_000;
        Some(Self::from_unix_millis(i64::try_from(millis).ok()?))
    }

    /// This moment plus a span, saturating.
    pub fn plus(self, span: Duration) -> Self {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self::from_unix_millis(self.0.saturating_add(millis))
    }

    /// This moment minus a span, saturating at the epoch.
    pub fn minus(self, span: Duration) -> Self {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self::from_unix_millis(self.0.saturating_sub(millis))
    }

    /// How long after `earlier` this is; zero if it is not after.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

#[cfg(test)]
mod test_clock {
    use super::Timestamp;
    use std::cell::RefCell;

    type Clock = Box<dyn Fn() -> Timestamp>;

    thread_local! {
        pub static CLOCK: RefCell<Option<Clock>> = const { RefCell::new(None) };
    }

    pub fn now() -> Option<Timestamp> {
        CLOCK.with_borrow(|clock| clock.as_ref().map(|clock| clock()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i128::from(self.0) * 1_000_000;
        let at = OffsetDateTime::from_unix_timestamp_nanos(nanos)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .to_offset(UtcOffset::UTC);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.millisecond()
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("expected an RFC 3339 time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_any_offset_and_written_in_utc() {
        let at = Timestamp::parse("2026-11-21T10:30:00.1259+01:00").unwrap();
        assert_eq!(at.to_string(), "2026-11-21T09:30:00.125Z");
        assert_eq!(serde_json::to_string(&at).unwrap(), "\"2026-11-21T09:30:00.125Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>("\"2026-11-21T09:30:00.125Z\"").unwrap(), at);
        assert!(Timestamp::parse("2026-11-21 10:30").is_none());
    }
}
