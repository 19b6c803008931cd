//! How far something is that is done to many: a bar on standard error if that is a terminal, and nothing elsewhere.

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::io::IsTerminal;

/// With the count, the total, the rate and the time that is left.
const BAR: &str = "{msg} [{bar:30}] {pos} of {len}, {rate}{left}";
/// Where the total is not known.
const COUNTER: &str = "{spinner} {msg} {pos}, {rate}";

/// Whether anybody would see it.
pub fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// It goes away with its end: what came of it is told on standard output.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// Of something called `what`, of so many, if that is known.
    pub fn begin(what: &str, total: Option<u64>) -> Self {
        if !is_watched() {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        let template = if total.is_some() { BAR } else { COUNTER };
        let style = ProgressStyle::with_template(template).expect("a valid template").progress_chars("=> ");
        bar.set_style(style.with_key("rate", show_rate).with_key("left", show_left));
        bar.set_message(what.to_owned());
        bar.tick();
        Self(Some(bar))
    }

    /// So many are done; the total grows if it was too small.
    pub fn show(&self, done: u64) {
        let Self(Some(bar)) = self else { return };
        if bar.length().is_some_and(|total| total < done) {
            bar.set_length(done);
        }
        bar.set_position(done);
        // The rate falls while nothing is done.
        bar.tick();
    }
}

/// Whole ones: indicatif's own has four decimals.
fn show_rate(state: &ProgressState, out: &mut dyn Write) {
    let _ = write!(out, "{:.0}/s", state.per_sec());
}

/// Nothing before there is a rate: indicatif's own begins with 0 seconds.
fn show_left(state: &ProgressState, out: &mut dyn Write) {
    if state.pos() > 0 {
        let _ = write!(out, ", {:#} left", HumanDuration(state.eta()));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Self(Some(bar)) = self {
            bar.finish_and_clear();
        }
    }
}
