//! The Bot API client.
