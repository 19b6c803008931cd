//! Faults on demand: rules that say which requests meet which misfortune.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Which requests meet which fault. Of several rules that fire, the oldest is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which requests.
    #[serde(rename = "match", default)]
    pub matching: Match,
    /// What happens to them.
    pub fault: Fault,
}

impl Rule {
    /// A rule for the next request of a method.
    pub fn next(method: &str, fault: Fault) -> Self {
        Self { matching: Match { method: Some(method.to_owned()), ..Match::default() }, fault }
    }

    /// The same, for the next `times` requests; 0 for all.
    pub fn times(mut self, times: u64) -> Self {
        self.matching.times = times;
        self
    }
}

/// Which requests meet a fault; what is left out does not matter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    /// The method, in any case.
    pub method: Option<String>,
    /// The chat.
    pub chat_id: Option<i64>,
    /// The bot's id.
    pub bot: Option<u64>,
    /// The first of the matching requests that meets it, counted from 1.
    pub nth: u64,
    /// How many meet it, 1 unless told; 0 for all from then on.
    pub times: u64,
    /// How likely each of them meets it, 0 to 1.
    pub probability: f64,
}

impl Default for Match {
    fn default() -> Self {
        Self { method: None, chat_id: None, bot: None, nth: 1, times: 1, probability: 1.0 }
    }
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Any answer in the Bot API's envelope; the message is not sent.
    Status {
        /// The HTTP status and `error_code`, 400 to 599.
        code: u16,
        /// Telegram's words, prefix included.
        description: String,
        /// `parameters` of the envelope.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parameters: Option<Map<String, Value>>,
    },
    /// 429; the chat must wait, and what it sends sooner is a violation.
    Flood {
        /// Seconds to wait.
        retry_after: u64,
        /// As it arrives from the upload step: 400, and the number in the text only.
        #[serde(default)]
        as_400: bool,
        /// How long the answer is held back, milliseconds.
        #[serde(default)]
        delay_ms: u64,
    },
    /// 403: the user blocked the bot.
    Blocked,
    /// 400: the group has become a supergroup. Its old id is refused from then on; the new one works.
    Migrated {
        /// The new id.
        to: i64,
    },
    /// 502 with an HTML page, as a proxy answers.
    NotJson,
    /// 413 with an empty body; the connection is closed.
    #[serde(rename = "empty_413")]
    Empty413,
    /// The message is sent, and the connection cut without an answer.
    LostAfter,
    /// The connection is cut before the body is read. Cannot match a chat, which is in the body.
    ResetBefore,
    /// The message is sent, and the connection cut in the middle of the answer.
    CutJson,
    /// The message is sent, and the answer held back.
    Slow {
        /// For how long, milliseconds.
        ms: u64,
    },
    /// No file_id that the bot got up to now is good any more; the request itself is carried out.
    FileIdsForgotten,
    /// 401: the token was revoked.
    Unauthorized,
}

/// When in a request's life rules are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before its body is read.
    Head,
    /// Once it is known what it wants.
    Body,
}

impl Fault {
    fn moment(&self) -> Moment {
        if *self == Self::ResetBefore { Moment::Head } else { Moment::Body }
    }
}

/// More rules than this are refused.
const MAX_RULES: usize = 10_000;

/// The queued rules.
pub(super) struct Faults {
    rules: Vec<Queued>,
    random: fastrand::Rng,
}

struct Queued {
    rule: Rule,
    /// How many requests matched.
    seen: u64,
    /// How many of them met it.
    fired: u64,
}

impl Faults {
    pub fn new(seed: u64) -> Self {
        Self { rules: Vec::new(), random: fastrand::Rng::with_seed(seed) }
    }

    /// What speaks against a rule, if anything.
    pub fn objection(&self, rule: &Rule) -> Option<String> {
        let matching = &rule.matching;
        if rule.fault == Fault::ResetBefore && matching.chat_id.is_some() {
            return Some("reset_before happens before the body is read, so it cannot match a chat_id".into());
        }
        if let Fault::Status { code, .. } = rule.fault
            && !(400..600).contains(&code)
        {
            return Some(format!("status code {code} is not an error: expected 400 to 599"));
        }
        if !(0.0..=1.0).contains(&matching.probability) {
            return Some("probability must be between 0 and 1".into());
        }
        if matching.nth == 0 {
            return Some("nth counts from 1".into());
        }
        if let Some(method) = &matching.method
            && super::methods::canonical(method).is_none()
        {
            return Some(format!("the sandbox has no method {method}"));
        }
        (self.rules.len() >= MAX_RULES).then(|| format!("there are {MAX_RULES} rules already"))
    }

    /// Queues a rule, or says what speaks against it.
    pub fn add(&mut self, rule: Rule) -> Result<(), String> {
        if let Some(why) = self.objection(&rule) {
            return Err(why);
        }
        self.rules.push(Queued { rule, seen: 0, fired: 0 });
        Ok(())
    }

    pub fn clear(&mut self) {
        self.rules.clear();
    }

    pub fn rules(&self) -> Vec<Rule> {
        self.rules.iter().map(|queued| queued.rule.clone()).collect()
    }

    /// The fault of this request, if it meets one. Rules that are used up go.
    pub fn strike(&mut self, moment: Moment, bot: u64, method: &str, chat_id: Option<i64>) -> Option<Fault> {
        let mut hit = None;
        let random = &mut self.random;
        self.rules.retain_mut(|Queued { rule, seen, fired }| {
            let want = &rule.matching;
            let matches = rule.fault.moment() == moment
                && want.bot.is_none_or(|wanted| wanted == bot)
                && want.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && want.chat_id.is_none_or(|wanted| Some(wanted) == chat_id);
            if hit.is_some() || !matches {
                return true;
            }
            *seen += 1;
            if *seen >= want.nth && (want.probability >= 1.0 || random.f64() < want.probability) {
                *fired += 1;
                hit = Some(rule.fault.clone());
            }
            want.times == 0 || *fired < want.times
        });
        hit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Rule {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_rule_fires_from_its_nth_match_for_its_times_and_goes() {
        let mut faults = Faults::new(0);
        faults.add(parsed(r#"{"match":{"method":"SENDPHOTO","nth":2,"times":2},"fault":"blocked"}"#)).unwrap();
        let fired: Vec<_> = (0..5).map(|_| faults.strike(Moment::Body, 1, "sendPhoto", Some(5)).is_some()).collect();
        assert_eq!(fired, [false, true, true, false, false]);
        assert!(faults.rules().is_empty());
    }

    #[test]
    fn rules_match_chat_bot_and_method_and_the_oldest_wins() {
        let mut faults = Faults::new(0);
        faults.add(parsed(r#"{"match":{"chat_id":5,"times":0},"fault":{"slow":{"ms":1}}}"#)).unwrap();
        faults.add(parsed(r#"{"match":{"bot":2},"fault":"not_json"}"#)).unwrap();
        assert_eq!(faults.strike(Moment::Body, 1, "sendPhoto", Some(6)), None);
        assert_eq!(faults.strike(Moment::Body, 2, "sendPhoto", Some(5)), Some(Fault::Slow { ms: 1 }));
        assert_eq!(faults.strike(Moment::Body, 2, "getMe", None), Some(Fault::NotJson));
        assert_eq!(faults.strike(Moment::Head, 2, "getMe", None), None);
    }

    #[test]
    fn chance_repeats_with_the_seed() {
        let run = |seed| {
            let mut faults = Faults::new(seed);
            faults.add(parsed(r#"{"match":{"times":0,"probability":0.3},"fault":"blocked"}"#)).unwrap();
            (0..1000).filter(|_| faults.strike(Moment::Body, 1, "sendPhoto", None).is_some()).count()
        };
        assert_eq!(run(7), run(7));
        assert!((200..400).contains(&run(7)));
    }

    #[test]
    fn rules_that_cannot_work_are_refused_with_the_reason() {
        let mut faults = Faults::new(0);
        for bad in [
            r#"{"match":{"chat_id":5},"fault":"reset_before"}"#,
            r#"{"match":{"method":"sendFoto"},"fault":"blocked"}"#,
            r#"{"match":{"nth":0},"fault":"blocked"}"#,
            r#"{"match":{"probability":2},"fault":"blocked"}"#,
            r#"{"fault":{"status":{"code":200,"description":"OK"}}}"#,
        ] {
            assert!(faults.add(parsed(bad)).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Rule>(r#"{"fault":"blocked","times":3}"#).is_err(), "a typo is not swallowed");
    }
}
