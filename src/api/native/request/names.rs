//! The names that the fields of a request may have, and suggestions for mistyped ones.

use super::content::Content;
use super::parameters::{PARAMETERS, ParameterType};
use crate::intake::rejection::{ProblemCode, Rejection};

/// The fields of Pixcourier; all others are Telegram's, under Telegram's names.
const OWN_FIELDS: [&str; 13] = [
    "chat_id",
    "recipient",
    "bot",
    "priority",
    "send_at",
    "expires_at",
    "delivery",
    "tags",
    "callback_url",
    "wait",
    "oversize",
    "long_caption",
    "item",
];
/// What fields are called elsewhere, or by people in a hurry.
const MISNOMERS: [(&str, &str); 10] = [
    ("chat", "chat_id"),
    ("to", "chat_id"),
    ("channel", "chat_id"),
    ("image", "photo"),
    ("picture", "photo"),
    ("file", "photo, or document"),
    ("message", "text, or caption below a file"),
    ("keyboard", "reply_markup"),
    ("buttons", "reply_markup"),
    ("silent", "disable_notification"),
];
/// Parameters of Telegram's that have another form here, and what to write in their place.
const INSTEAD: [(&str, &str); 4] = [
    ("allow_sending_without_reply", "reply_parameters: {\"message_id\": 17, \"allow_sending_without_reply\": true}"),
    ("disable_web_page_preview", "link_preview_options: {\"is_disabled\": true}"),
    ("media", "album"),
    ("thumb", "thumbnail"),
];
/// How much of an unknown name is repeated in its rejection.
const MAX_SHOWN_CHARS: usize = 64;

/// Every field that some request may have.
pub fn known() -> impl Iterator<Item = &'static str> {
    let contents = Content::ALL.into_iter().map(Content::field);
    OWN_FIELDS.into_iter().chain(contents).chain(PARAMETERS.iter().map(|parameter| parameter.name))
}

/// Rejects a name that no field has, so that a typo is not silently dropped.
pub fn check_name(name: &str) -> Result<(), Rejection> {
    match known().any(|known| known == name) {
        true => Ok(()),
        false => Err(unknown(name)),
    }
}

/// Whether a field of this name holds a file.
pub fn is_file_field(name: &str) -> bool {
    Content::ALL.iter().any(|content| content.is_file() && content.field() == name)
        || PARAMETERS.iter().any(|parameter| parameter.value_type == ParameterType::File && parameter.name == name)
}

/// The rejection of a name that no field has.
pub fn unknown(name: &str) -> Rejection {
    let shown: String = name.chars().take(MAX_SHOWN_CHARS).collect();
    let instead = INSTEAD.iter().find(|(other, _)| *other == shown);
    if let Some((_, instead)) = instead {
        let detail = format!("There is no field {shown:?}. Write {instead}.");
        return Rejection::field(ProblemCode::UnknownField, shown, detail);
    }
    let nearest = known().map(|known| (strsim::osa_distance(&shown, known), known)).min();
    let misnomer = MISNOMERS.iter().find(|(name, _)| shown.eq_ignore_ascii_case(name));
    let advice = match (misnomer, nearest) {
        (Some((_, meant)), _) => format!(" Did you mean {meant}?"),
        (None, Some((distance, known))) if distance <= 2 && distance * 2 < known.len() => {
            format!(" Did you mean {known}?")
        }
        _ => format!(" The fields are {}.", known().collect::<Vec<_>>().join(", ")),
    };
    Rejection::field(ProblemCode::UnknownField, shown.clone(), format!("There is no field {shown:?}.{advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_told_what_was_meant() {
        for (typo, meant) in [
            ("captoin", "Did you mean caption?"),
            ("chatid", "Did you mean chat_id?"),
            ("Photo", "Did you mean photo?"),
            ("vidoe", "Did you mean video?"),
            ("parsemode", "Did you mean parse_mode?"),
            ("chat", "Did you mean chat_id?"),
            ("Image", "Did you mean photo?"),
            ("webhook", "The fields are"),
            ("calback_url", "Did you mean callback_url?"),
            ("x", "The fields are"),
            ("allow_sending_without_reply", "Write reply_parameters: {"),
        ] {
            let rejection = check_name(typo).unwrap_err();
            assert_eq!((rejection.code, rejection.field.as_deref()), (ProblemCode::UnknownField, Some(typo)));
            assert!(rejection.detail.contains(meant), "{}", rejection.detail);
        }
        assert!(check_name(&"\u{1F408}".repeat(9000)).unwrap_err().detail.len() < 2000);
    }

    #[test]
    fn no_name_means_two_things() {
        let mut names: Vec<_> = known().collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
