//! Where an event stands in the log of ends.

use super::ids::InvalidIdError;
use super::time::Timestamp;
use std::fmt;
use std::str::FromStr;

/// The place of an event in the log. A later event has a higher id, whichever process has written it. Written
/// `MILLISECONDS-NUMBER`: about when it was written, by the clock of the store, and which of that moment it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// Milliseconds since the Unix epoch.
    pub millis: u64,
    /// Which of that moment.
    pub number: u32,
}

impl EventId {
    /// The first id of a moment.
    pub fn first_of(at: Timestamp) -> Self {
        Self { millis: at.unix_millis().unsigned_abs(), number: 0 }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.number)
    }
}

impl FromStr for EventId {
    type Err = InvalidIdError;

    fn from_str(text: &str) -> Result<Self, InvalidIdError> {
        let read = || {
            let (millis, number) = text.split_once('-')?;
            let id = Self { millis: millis.parse().ok()?, number: number.parse().ok()? };
            // Only as it is written, and of a year that can be written.
            let is_year = id.millis <= Timestamp::from_unix_millis(i64::MAX).unix_millis().unsigned_abs();
            (is_year && id.to_string() == text).then_some(id)
        };
        read().ok_or(InvalidIdError("the id of an event is MILLISECONDS-NUMBER"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_sorts_by_time() {
        let id = EventId { millis: 1_795_253_400_125, number: 7 };
        assert_eq!((id.to_string().as_str(), "1795253400125-7".parse()), ("1795253400125-7", Ok(id)));
        assert!(EventId::first_of(Timestamp::from_unix_millis(1_795_253_400_125)) < id);
        assert!("1795253400126-0".parse::<EventId>().unwrap() > id);
        for bad in
            ["", "7", "-", "7-", "-7", "+7-0", "07-0", "7-0-0", "7-x", "7 -0", "253402300800000-0", "7-4294967296"]
        {
            assert!(bad.parse::<EventId>().is_err(), "{bad}");
        }
    }
}
