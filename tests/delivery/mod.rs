//! The way from the queue to the messenger: outcomes, retries, limits, order; and registration, which runs there too.

mod callbacks;
mod draining;
mod events;
mod field_answers;
mod orphans;
mod outcomes;
mod pausing;
mod registration;
mod reload;
mod retries;
mod transactions;
mod volume;
mod wait;
