//! The faces: each reads requests in its own dialect, hands them to [`crate::intake`], and responds in that dialect. No
//! face knows another; what they share lies in [`crate::http`] and [`crate::intake`].

pub mod bot_api;
pub mod native;
pub mod whatsmate;
