//! The queue of fault rules: which fault a call meets.

use super::rules::{FaultRule, InjectedFault};
use crate::sandbox::method_names;

/// When the rules are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultStage {
    /// Before the body is read.
    BeforeBody,
    /// When all arguments are known.
    AfterBody,
}

impl InjectedFault {
    fn stage(&self) -> FaultStage {
        if *self == Self::ResetBefore { FaultStage::BeforeBody } else { FaultStage::AfterBody }
    }
}

/// More rules than this are refused.
const MAX_RULES: usize = 10_000;

pub struct FaultQueue {
    rules: Vec<QueuedRule>,
    random: fastrand::Rng,
}

struct QueuedRule {
    rule: FaultRule,
    /// How many requests matched.
    seen: u64,
    /// How many of them met it.
    fired: u64,
}

impl FaultQueue {
    pub fn new(seed: u64) -> Self {
        Self { rules: Vec::new(), random: fastrand::Rng::with_seed(seed) }
    }

    /// What speaks against a rule, if anything.
    pub fn objection(&self, rule: &FaultRule) -> Option<String> {
        let matching = &rule.matching;
        if rule.fault == InjectedFault::ResetBefore && matching.chat_id.is_some() {
            return Some("reset_before happens before the body is read, so it cannot match a chat_id".into());
        }
        if let InjectedFault::Status { code, .. } = rule.fault
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
            && method_names::canonical(method).is_none()
        {
            return Some(format!("the sandbox has no method {method}"));
        }
        (self.rules.len() >= MAX_RULES).then(|| format!("there are {MAX_RULES} rules already"))
    }

    /// Queues a rule, or says what speaks against it.
    pub fn add(&mut self, rule: FaultRule) -> Result<(), String> {
        if let Some(why) = self.objection(&rule) {
            return Err(why);
        }
        self.rules.push(QueuedRule { rule, seen: 0, fired: 0 });
        Ok(())
    }

    pub fn clear(&mut self) {
        self.rules.clear();
    }

    pub fn rules(&self) -> Vec<FaultRule> {
        self.rules.iter().map(|queued| queued.rule.clone()).collect()
    }

    /// The fault that this call meets, if any. Rules that are used up go.
    pub fn take(&mut self, stage: FaultStage, bot: u64, method: &str, chat_id: Option<i64>) -> Option<InjectedFault> {
        let mut hit = None;
        let random = &mut self.random;
        self.rules.retain_mut(|QueuedRule { rule, seen, fired }| {
            let want = &rule.matching;
            let matches = rule.fault.stage() == stage
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

    fn parsed(text: &str) -> FaultRule {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_rule_fires_from_its_nth_match_for_its_times_and_goes() {
        let mut faults = FaultQueue::new(0);
        faults.add(parsed(r#"{"match":{"method":"SENDPHOTO","nth":2,"times":2},"fault":"blocked"}"#)).unwrap();
        let fired: Vec<_> =
            (0..5).map(|_| faults.take(FaultStage::AfterBody, 1, "sendPhoto", Some(5)).is_some()).collect();
        assert_eq!(fired, [false, true, true, false, false]);
        assert!(faults.rules().is_empty());
    }

    #[test]
    fn rules_match_chat_bot_and_method_and_the_oldest_wins() {
        let mut faults = FaultQueue::new(0);
        faults.add(parsed(r#"{"match":{"chat_id":5,"times":0},"fault":{"slow":{"ms":1}}}"#)).unwrap();
        faults.add(parsed(r#"{"match":{"bot":2},"fault":"not_json"}"#)).unwrap();
        assert_eq!(faults.take(FaultStage::AfterBody, 1, "sendPhoto", Some(6)), None);
        assert_eq!(faults.take(FaultStage::AfterBody, 2, "sendPhoto", Some(5)), Some(InjectedFault::Slow { ms: 1 }));
        assert_eq!(faults.take(FaultStage::AfterBody, 2, "getMe", None), Some(InjectedFault::NotJson));
        assert_eq!(faults.take(FaultStage::BeforeBody, 2, "getMe", None), None);
    }

    #[test]
    fn chance_repeats_with_the_seed() {
        let run = |seed| {
            let mut faults = FaultQueue::new(seed);
            faults.add(parsed(r#"{"match":{"times":0,"probability":0.3},"fault":"blocked"}"#)).unwrap();
            (0..1000).filter(|_| faults.take(FaultStage::AfterBody, 1, "sendPhoto", None).is_some()).count()
        };
        assert_eq!(run(7), run(7));
        assert!((200..400).contains(&run(7)));
    }

    #[test]
    fn rules_that_cannot_work_are_refused_with_the_reason() {
        let mut faults = FaultQueue::new(0);
        for bad in [
            r#"{"match":{"chat_id":5},"fault":"reset_before"}"#,
            r#"{"match":{"method":"sendFoto"},"fault":"blocked"}"#,
            r#"{"match":{"nth":0},"fault":"blocked"}"#,
            r#"{"match":{"probability":2},"fault":"blocked"}"#,
            r#"{"fault":{"status":{"code":200,"description":"OK"}}}"#,
        ] {
            assert!(faults.add(parsed(bad)).is_err(), "{bad}");
        }
        assert!(
            serde_json::from_str::<FaultRule>(r#"{"fault":"blocked","times":3}"#).is_err(),
            "a typo is not swallowed"
        );
    }
}
