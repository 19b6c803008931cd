//! The two ways to read a form.

/// How a form is read where the two kinds of readers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Exactly as Telegram's server source does it, refusals included: what is taken here must be taken there.
    AsTelegram,
    /// As much as can be understood: `filename*` and `name*`, names of attributes in any case, a quoted boundary with a
    /// semicolon in it, Windows paths with their backslashes, and a boundary only where a line begins and ends with it.
    Lenient,
}
