//! Which part of the work a process does.

/// What this process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Accepts and delivers.
    All,
    /// Accepts notifications.
    Api,
    /// Delivers them; over HTTP it serves probes, metrics and its draining only.
    Worker,
}
