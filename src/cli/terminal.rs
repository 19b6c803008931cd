//! Standard output, which may be closed early (`pixcourier openapi | head`) and may be no terminal.

use std::io::{IsTerminal, Write};

/// Prints a line. That the reader has closed the pipe is no error.
pub fn print_line(line: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Marks a text up for a terminal; does nothing elsewhere.
#[derive(Clone, Copy)]
pub struct TerminalStyle {
    terminal: bool,
}

impl TerminalStyle {
    /// Marks up if standard output is a terminal and nobody objects (<https://no-color.org>).
    pub fn detect() -> Self {
        let objection = crate::settings::environment().get("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { terminal: std::io::stdout().is_terminal() && !objection }
    }

    /// For headings.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// For lines that only separate.
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// For what went well.
    pub fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    /// For what went wrong.
    pub fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.terminal { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
