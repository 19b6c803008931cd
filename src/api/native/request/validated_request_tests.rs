use super::*;
use crate::intake::fingerprint::fingerprint;
use crate::intake::send_request::DEFAULT_LIFETIME;

fn now() -> Timestamp {
    Timestamp::parse("2026-11-21T12:00:00Z").unwrap()
}

fn fields(mut fields: Fields, given: &Value) -> Result<ValidatedRequest, Rejection> {
    for (name, value) in given.as_object().unwrap() {
        match value {
            Value::Array(parts) if fields.is_form() => {
                for part in parts {
                    fields.insert(name, part.clone())?;
                }
            }
            value => fields.insert(name, value.clone())?,
        }
    }
    ValidatedRequest::read(fields, UploadedFiles::default(), now(), |bot| ["default", "alerts"].contains(&bot.as_str()))
}

/// A request that is fine, with some fields replaced or added.
fn json_with(changes: Value) -> Result<ValidatedRequest, Rejection> {
    let mut given = json!({"chat_id": 42, "photo": "https://example.com/a.png"});
    for (name, value) in changes.as_object().unwrap() {
        given[name] = value.clone();
    }
    fields(Fields::json(), &given)
}

/// One inline button with some data.
fn inline(callback_data: Value) -> Value {
    json!({"reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": callback_data}]]}})
}

#[test]
fn every_rejection_names_its_field_and_its_code() {
    use ProblemCode::{
        CaptionTooLong, InvalidAlbum, InvalidChatId, InvalidField, InvalidFile, InvalidPhoto, InvalidThumbnail,
        MisplacedField, MissingField, TextTooLong, UnknownBot, UnknownField,
    };
    let table = [
        (json!({"chat_id": null}), MissingField, "chat_id"),
        (json!({"chat_id": 0}), InvalidChatId, "chat_id"),
        (json!({"chat_id": 1.5}), InvalidChatId, "chat_id"),
        (json!({"chat_id": "bob"}), InvalidChatId, "chat_id"),
        (json!({"chat_id": true}), InvalidChatId, "chat_id"),
        (json!({"chat_id": 1_u64 << 60}), InvalidChatId, "chat_id"),
        (json!({"recipient": {"number": "491701234567"}}), InvalidField, "recipient"),
        (json!({"chat_id": null, "recipient": {}}), ProblemCode::InvalidRecipient, "recipient"),
        (json!({"photo": null}), MissingField, "photo"),
        (json!({"photo": "http://localhost/pic"}), InvalidPhoto, "photo"),
        (json!({"bot": "nobody"}), UnknownBot, "bot"),
        (json!({"bot": "No Body"}), UnknownBot, "bot"),
        (json!({"bot": 5}), InvalidField, "bot"),
        (json!({"caption": "x".repeat(1025)}), CaptionTooLong, "caption"),
        (json!({"caption": "\u{1F408}".repeat(513)}), CaptionTooLong, "caption"),
        (json!({"caption": "\u{e9}".repeat(16_385), "parse_mode": "HTML"}), CaptionTooLong, "caption"),
        (json!({"caption": 5}), InvalidField, "caption"),
        (json!({"parse_mode": "BBCode"}), InvalidField, "parse_mode"),
        (json!({"caption_entities": {}}), InvalidField, "caption_entities"),
        (json!({"caption_entities": [{"type": "bold", "offset": -1, "length": 2}]}), InvalidField, "caption_entities"),
        (json!({"reply_markup": "{}"}), InvalidField, "reply_markup"),
        (json!({"reply_markup": []}), InvalidField, "reply_markup"),
        (json!({"reply_markup": {"inline_keyboard": [{"text": "a"}]}}), InvalidField, "reply_markup.inline_keyboard"),
        (json!({"reply_markup": {"inline_keyboard": [[{"text": "a"}]]}}), InvalidField, "reply_markup.inline_keyboard"),
        (
            json!({"reply_markup": {"inline_keyboard": [[{"url": "x.y"}]]}}),
            InvalidField,
            "reply_markup.inline_keyboard",
        ),
        (json!({"reply_markup": {"inline_keyboard": [["a"]]}}), InvalidField, "reply_markup.inline_keyboard"),
        (inline(json!("x".repeat(65))), InvalidField, "reply_markup.inline_keyboard"),
        (inline(json!("\u{e9}".repeat(33))), InvalidField, "reply_markup.inline_keyboard"),
        (inline(json!(5)), InvalidField, "reply_markup.inline_keyboard"),
        (inline(json!(null)), InvalidField, "reply_markup.inline_keyboard"),
        (json!({"reply_markup": {"keyboard": [[5]]}}), InvalidField, "reply_markup.keyboard"),
        (json!({"reply_markup": {}}), InvalidField, "reply_markup"),
        (json!({"reply_markup": {"inline_keybord": []}}), InvalidField, "reply_markup"),
        (json!({"reply_markup": {"keyboard": [], "force_reply": true}}), InvalidField, "reply_markup"),
        (json!({"reply_parameters": {"message_id": "5"}}), InvalidField, "reply_parameters.message_id"),
        (json!({"reply_parameters": {"message_id": 5}, "reply_to_message_id": 5}), InvalidField, "reply_to_message_id"),
        (json!({"reply_parameters": {}}), InvalidField, "reply_parameters.message_id"),
        (json!({"reply_parameters": 5}), InvalidField, "reply_parameters"),
        (json!({"reply_to_message_id": 0}), InvalidField, "reply_to_message_id"),
        (json!({"message_thread_id": 1_u64 << 31}), InvalidField, "message_thread_id"),
        (json!({"direct_messages_topic_id": 0}), InvalidField, "direct_messages_topic_id"),
        (json!({"has_spoiler": "yes"}), InvalidField, "has_spoiler"),
        (json!({"message_effect_id": ""}), InvalidField, "message_effect_id"),
        (json!({"priority": "high"}), InvalidField, "priority"),
        (json!({"priority": 1}), InvalidField, "priority"),
        (json!({"delivery": "exactly_once"}), InvalidField, "delivery"),
        (json!({"tags": "a"}), InvalidField, "tags"),
        (json!({"tags": [""]}), InvalidField, "tags"),
        (json!({"tags": [5]}), InvalidField, "tags"),
        (json!({"tags": vec!["a"; 11]}), InvalidField, "tags"),
        (json!({"tags": ["x".repeat(65)]}), InvalidField, "tags"),
        (json!({"send_at": "tomorrow"}), InvalidField, "send_at"),
        (json!({"send_at": 1_700_000_000}), InvalidField, "send_at"),
        (json!({"send_at": "2026-12-21T12:00:00.001Z"}), InvalidField, "send_at"),
        (json!({"expires_at": "2026-12-22T12:00:00.001Z"}), InvalidField, "expires_at"),
        (json!({"send_at": "2026-11-22T12:00:00Z", "expires_at": "2026-11-22T12:00:00Z"}), InvalidField, "expires_at"),
        (json!({"text": "x"}), MisplacedField, "text"),
        (json!({"duration": 5}), MisplacedField, "duration"),
        (json!({"entities": []}), MisplacedField, "entities"),
        (json!({"thumbnail": "AgAC"}), MisplacedField, "thumbnail"),
        (json!({"item": 1}), MisplacedField, "item"),
        (json!({"oversize": "squeeze"}), InvalidField, "oversize"),
        (json!({"long_caption": true}), InvalidField, "long_caption"),
        (json!({"photo": null, "voice": "AgAC", "oversize": "shrink"}), MisplacedField, "oversize"),
        (json!({"photo": null, "voice": "a.ogg"}), InvalidFile, "voice"),
        (json!({"photo": null, "video": "AgAC", "duration": -1}), InvalidField, "duration"),
        (json!({"photo": null, "video": "AgAC", "thumbnail": "AgAC"}), InvalidThumbnail, "thumbnail"),
        (json!({"photo": null, "text": " \n"}), InvalidField, "text"),
        (json!({"photo": null, "text": "x".repeat(4097)}), TextTooLong, "text"),
        (json!({"photo": null, "text": "x", "caption": "y"}), MisplacedField, "caption"),
        (json!({"photo": null, "album": []}), InvalidAlbum, "album"),
        (json!({"photo": null, "album": [1, 2], "oversize": "document"}), InvalidField, "oversize"),
        (json!({"callback_url": "example.com"}), InvalidField, "callback_url"),
        (json!({"update_key": "a"}), UnknownField, "update_key"),
    ];
    for (changes, code, field) in table {
        let rejection = json_with(changes.clone()).expect_err(&changes.to_string());
        assert_eq!((rejection.code, rejection.field.as_deref()), (code, Some(field)), "{changes}");
        assert!(rejection.detail.len() > 10, "{changes}");
    }
}

#[test]
fn values_at_their_limits_are_accepted() {
    for changes in [
        json!({"caption": "\u{1F408}".repeat(512)}),
        json!({"caption": "<b>x</b>".repeat(4096), "parse_mode": "html"}),
        json!({"tags": vec!["x".repeat(64); 10]}),
        json!({"send_at": "2026-12-21T12:00:00Z"}),
        json!({"expires_at": "2026-12-22T12:00:00Z"}),
        json!({"chat_id": "-1001234567890"}),
        json!({"chat_id": "@some_channel"}),
        json!({"reply_parameters": {"message_id": 5, "quote": "x", "of_tomorrow": [1]}}),
        inline(json!("x".repeat(64))),
        json!({"reply_markup": {"inline_keyboard": [[{"text": "a", "switch_inline_query": ""}], []]}}),
        json!({"reply_markup": {"force_reply": true, "selective": true}}),
        json!({"reply_markup": {"remove_keyboard": true}}),
        json!({"reply_markup": {"keyboard": [["a", {"text": "b"}]]}}),
    ] {
        assert!(json_with(changes.clone()).is_ok(), "{changes}");
    }
}

#[test]
fn parameters_are_given_on_as_telegram_writes_them() {
    let request = json_with(json!({
        "caption": "hello", "parse_mode": "markdownv2", "has_spoiler": true, "message_thread_id": 7,
        "tags": ["a"], "caption_entities": null,
    }))
    .unwrap();
    let expected = json!({"caption": "hello", "parse_mode": "MarkdownV2", "message_thread_id": 7, "has_spoiler": true});
    assert_eq!(Value::Object(request.params), expected);
}

#[test]
fn times_follow_from_each_other() {
    let plain = json_with(json!({})).unwrap();
    assert_eq!((plain.options.due(), plain.options.expiry()), (None, now().plus(DEFAULT_LIFETIME)));
    let past = json_with(json!({"send_at": "2026-11-21T11:00:00Z"})).unwrap();
    assert_eq!(
        (past.options.due(), past.options.expiry()),
        (None, now().plus(DEFAULT_LIFETIME)),
        "a past send_at means now"
    );
    let later = json_with(json!({"send_at": "2026-11-22T12:00:00+00:00"})).unwrap();
    assert_eq!(
        (later.options.due(), later.options.expiry()),
        (Some(now().plus(DEFAULT_LIFETIME)), now().plus(2 * DEFAULT_LIFETIME))
    );
}

#[test]
fn json_and_form_of_the_same_content_are_the_same_request() {
    let json = json!({
        "photo": "AgACAgIAAxk", "chat_id": 42, "caption": "hello", "parse_mode": "HTML", "has_spoiler": true,
        "reply_markup": {"inline_keyboard": [[{"url": "https://example.com", "text": "a"}]]},
        "tags": ["a", "b"], "priority": "normal", "send_at": "2026-11-22T13:00:00+01:00",
    });
    let form = json!({
        "chat_id": "42", "parse_mode": "html", "caption": "hello", "has_spoiler": "1", "tags": ["a", "b"],
        "reply_markup": r#"{"inline_keyboard": [[{"text": "a", "url": "https://example.com"}]]}"#,
        "photo": "AgACAgIAAxk", "bot": "default", "send_at": "2026-11-22T12:00:00Z",
    });
    let json = fields(Fields::json(), &json).unwrap();
    let form = fields(Fields::form(), &form).unwrap();
    assert_eq!(fingerprint(&json.canonical()), fingerprint(&form.canonical()));
    let other = json_with(json!({"photo": "AgACAgIAAxk", "caption": "hello"})).unwrap();
    assert_ne!(fingerprint(&json.canonical()), fingerprint(&other.canonical()));
}

#[test]
fn tags_of_a_form_may_be_one_json_array() {
    let form = json!({"chat_id": "42", "photo": "AgACAgIAAxk", "tags": [r#"["a", "b"]"#]});
    assert_eq!(fields(Fields::form(), &form).unwrap().options.tags, ["a", "b"]);
    let broken = json!({"chat_id": "42", "photo": "AgACAgIAAxk", "tags": ["[a"]});
    assert_eq!(fields(Fields::form(), &broken).unwrap_err().field.as_deref(), Some("tags"));
}

#[test]
fn each_content_becomes_its_method_with_its_own_parameters() {
    let send = |given: Value| {
        let mut all = json!({"chat_id": 42});
        given.as_object().unwrap().iter().for_each(|(name, value)| all[name] = value.clone());
        let request = fields(Fields::json(), &all).unwrap().into_send_request(ChatId::Id(42)).unwrap();
        let parts: Vec<String> = request.media.iter().map(|attachment| attachment.field.clone()).collect();
        (request.method, Value::Object(request.params), parts.join(","))
    };
    let digest = crate::domain::Sha256::of(b"x");
    let stored = json!({"sha256": digest, "filename": "../a.pdf"});
    for (given, method, params, parts) in [
        (json!({"photo": "AgAC", "caption": "a"}), "sendPhoto", json!({"caption": "a"}), "photo"),
        (
            json!({"document": stored, "disable_content_type_detection": true, "thumbnail": {"sha256": digest}}),
            "sendDocument",
            json!({"disable_content_type_detection": true}),
            "document,thumbnail",
        ),
        (json!({"animation": "AgAC", "width": 5}), "sendAnimation", json!({"width": 5}), "animation"),
        (
            json!({"video": "AgAC", "cover": "AgAD", "supports_streaming": true}),
            "sendVideo",
            json!({"supports_streaming": true}),
            "video,cover",
        ),
        (json!({"audio": "AgAC", "performer": "x"}), "sendAudio", json!({"performer": "x"}), "audio"),
        (json!({"voice": "AgAC", "duration": 3}), "sendVoice", json!({"duration": 3}), "voice"),
        (
            json!({"text": "a", "link_preview_options": {"is_disabled": true}}),
            "sendMessage",
            json!({"text": "a", "link_preview_options": {"is_disabled": true}}),
            "",
        ),
        (
            json!({"album": [{"type": "photo", "media": "AgAC"}, {"type": "photo", "media": "AgAD"}], "protect_content": true}),
            "sendMediaGroup",
            json!({"media": [{"type": "photo", "media": "attach://file0"}, {"type": "photo", "media": "attach://file1"}],
                   "protect_content": true}),
            "file0,file1",
        ),
    ] {
        assert_eq!(send(given), (method.to_owned(), params, parts.to_owned()));
    }
}

#[test]
fn a_long_caption_is_split_if_that_is_wanted() {
    let request = json_with(json!({"caption": "x".repeat(6000), "long_caption": "split"})).unwrap();
    let request = request.into_send_request(ChatId::Id(42)).unwrap();
    assert_eq!(
        request.then.iter().map(|next| next.call.params["text"].as_str().unwrap().len()).collect::<Vec<_>>(),
        [4096, 880]
    );
}
