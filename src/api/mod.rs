//! The faces: each reads requests in its own dialect, hands them to [`crate::intake`], and answers in that dialect. None
//! knows another; what they share lies in [`crate::http`] and [`crate::intake`].

pub mod bot_api;
pub mod native;
pub mod whatsmate;
