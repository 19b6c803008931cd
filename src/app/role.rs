//! Which part of the work a process does.

/// What this process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Both.
    All,
    /// Accepts notifications.
    Api,
    /// Delivers them; over HTTP it answers only about itself.
    Worker,
}
