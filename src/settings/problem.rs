//! What is wrong with a configuration, said so that it can be put right.

use std::fmt;

/// One thing that is wrong. Never repeats a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where: a key of the file, an environment variable, a flag.
    pub at: String,
    /// What, and what to do.
    pub message: String,
}

impl Problem {
    /// A problem somewhere.
    pub fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at: at.into(), message: message.into() }
    }

    /// A name that does not exist, with the one that was probably meant.
    pub(super) fn unknown<'a>(at: String, what: &str, names: impl Iterator<Item = &'a str>) -> Self {
        let found = at.rsplit('.').next().unwrap_or(&at).to_owned();
        // A name that was cut short is meant, however much is missing.
        let far = |name: &str| if found.len() > 3 && name.starts_with(&found) { 0 } else { distance(&found, name) };
        let nearest = names.map(|name| (far(name), name)).min();
        match nearest {
            Some((far, name)) if far * 3 <= name.len() => {
                Self::new(at, format!("unknown {what}; did you mean {name}?"))
            }
            _ => Self::new(at, format!("unknown {what}")),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// How many letters must be changed, added, left out or swapped with their neighbour to get from one name to the other.
fn distance(from: &str, to: &str) -> usize {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    let mut before = vec![0; to.len() + 1];
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i; to.len() + 1];
        for j in 1..=to.len() {
            let changed = last[j - 1] + usize::from(from[i - 1] != to[j - 1]);
            row[j] = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_near_and_other_words_are_far() {
        for (from, to, expected) in
            [("listen", "listen", 0), ("lsiten", "listen", 1), ("listn", "listen", 1), ("", "ab", 2)]
        {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
        let names = || ["listen", "bot_rate"].into_iter();
        assert_eq!(Problem::unknown("botrate".into(), "key", names()).message, "unknown key; did you mean bot_rate?");
        assert_eq!(Problem::unknown("bot_".into(), "key", names()).message, "unknown key; did you mean bot_rate?");
        assert_eq!(Problem::unknown("colour".into(), "key", names()).message, "unknown key");
    }
}
