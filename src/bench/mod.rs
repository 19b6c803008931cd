//! How fast the service is, driven over HTTP as its callers drive it, beside the ceilings of the same machine in the same
//! run: what runs `pixcourier bench`, and `benches/service` on a peer as well.
//!
//! From the outside inwards: [`measures`] are what is measured of a program ([`subject`]), which runs as a process of its own
//! ([`process`]) on fresh data, between callers ([`load`], with pictures of [`png`]) and a Bot API that answers at once
//! ([`stub`]). [`ceilings`] are the steps that no program could leave out, each alone. A [`table`] has the results.

pub mod ceilings;
pub mod effort;
pub mod load;
pub mod measures;
pub mod png;
pub mod process;
pub mod stub;
pub mod subject;
pub mod table;
