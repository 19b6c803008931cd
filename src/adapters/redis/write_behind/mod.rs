//! Going on while Redis is away: a write-behind cache in front of the Redis ledger. What couriers write waits in memory
//! until Redis is back; outcomes, which nobody could learn again, are stored in the journal too.
//!
//! A change goes to Redis at once while Redis answers and no older change of the same entity waits; else it joins the
//! pending writes of that entity (`buffer`, `pending_writes`). When a command fails, Redis counts as away: nobody waits
//! for it any more, and a task tries every second or so to write something, then writes what is pending, and only then
//! lets the next change of an entity through (`flush`). Attempts begin without Redis only after a grace period, since
//! until then it may hold a cancel (`availability`); and never what is known to be cancelled or paused (`known_cancels`, `known_pauses`).
//!
//! What is in memory ends with the process: then a file_id is learnt again, and a record lacks attempts before the last.
//! An outcome does not count as settled before it is in Redis or in the journal, from which any process writes it into
//! Redis ([`WriteBehindLedger::apply_journal_entry`]) once Redis is back. Another process that asks in the moments
//! between Redis being back and all being written sees the status of before.

mod availability;
mod buffer;
mod file_id_cache;
mod flush;
mod known_cancels;
mod known_pauses;
mod ledger;
mod ledger_change;
mod media_index;
mod pause_copy;
mod pauses;
mod pending_writes;

pub use ledger::WriteBehindLedger;
