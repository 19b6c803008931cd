//! `pixcourier list`, `show`, `cancel` and `retry`: what the API does with notifications, for a shell.

mod filter_args;
mod list;
mod many;
mod show;
mod text;

pub use list::ListArgs;
pub use many::{ManyArgs, Work};
pub use show::ShowArgs;
pub use text::line;

pub use list::run as list;
pub use many::run as many;
pub use show::run as show;
