//! The chat that a call goes to, as the Bot API server reads it (Telegram's server source): of a number the digits that it
//! begins with, of a username what is left without dots and the white space round it.

use crate::domain::ChatId;

/// The chat that an argument means; `None` if it can be no chat's.
pub fn chat(text: &str) -> Option<ChatId> {
    if let Some(name) = text.strip_prefix('@') {
        let name: String = name.trim().chars().filter(|c| *c != '.').collect();
        return format!("@{name}").parse().ok();
    }
    leading_integer(text).to_string().parse().ok()
}

/// A whole number as the Bot API server reads it: 0 without digits, and wrapped if there are too many.
fn leading_integer(text: &str) -> i64 {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let digits = digits.bytes().take_while(u8::is_ascii_digit);
    let number = digits.fold(0i64, |number, digit| number.wrapping_mul(10).wrapping_add(i64::from(digit - b'0')));
    if text.starts_with('-') { number.wrapping_neg() } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leading_digits_count_and_usernames_are_cleaned() {
        for (text, means) in [
            ("42", "42"),
            ("123.0", "123"),
            ("42\n", "42"),
            ("042abc", "42"),
            ("1e3", "1"),
            ("-1001234567890_15", "-1001234567890"),
            ("18446744073709551658", "42"),
            ("@some.channel\n", "@somechannel"),
        ] {
            assert_eq!(chat(text).map(|chat| chat.to_string()).as_deref(), Some(means), "{text}");
        }
        for none in [
            "",
            " 42",
            "+42",
            "0",
            "-",
            "\u{2212}5",
            "\u{feff}42",
            "null",
            "@",
            "@a b",
            "t.me/channel",
            "9223372036854775807",
        ] {
            assert_eq!(chat(none), None, "{none}");
        }
    }
}
