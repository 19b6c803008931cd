//! Redis 7 for the distributed engine: the ledger, the media index, idempotency keys, the recipient book, and what intake
//! and couriers do while Redis is away: a write-behind cache (`write_behind`).
//!
//! Everything that changes with a status (the record, its listing indexes, its place in the sweep's queue) changes in
//! one Lua script, so a record is never half moved. The scripts build their keys from the namespace and the id, which
//! is why **Redis Cluster is not supported**: one primary, with replicas and a failover address if wanted. Redis must
//! not evict (`maxmemory-policy noeviction`), and should keep an append-only file: records are the memory of what was
//! sent.
//!
//! | key | what |
//! |---|---|
//! | `<ns>:n:<id>` | hash: a record; of what was sent a small one, after a while (`compaction`) |
//! | `<ns>:i:bot:<bot>:<status>` | sorted set of ids, but of small records |
//! | `<ns>:i:sent:<bot>` | sorted set of the ids of small records |
//! | `<ns>:i:bots` | set: the bots that have records |
//! | `<ns>:lanes` | hash: how many are open, by `bot lane status`, but for the normal lane; under the empty field when that was counted |
//! | `<ns>:lanes:next` | hash: the same while it is counted anew; under the empty field up to which bot and id |
//! | `<ns>:o:<bot>:<chat>:<lane>` | sorted set: ids that are still to be sent and keep the order of their chat |
//! | `<ns>:chat:<bot>:<chat>` | hash: flood wait, pause after an album, sends within the window, migration; until it says nothing any more |
//! | `<ns>:pauses` | hash: what is paused, by `bot` or `bot chat`; under the empty field how often that has changed |
//! | `<ns>:cancels` | ids and acceptances of cancelled ones, by when they were cancelled, 32 days |
//! | `<ns>:open` | ids of open records by when they expire |
//! | `<ns>:done` | ids of final records, but of small ones, by the later of when they became final and when they expire |
//! | `<ns>:sent:<hour>` | list: ids of small records for which that moment is within an hour, counted from 1970 |
//! | `<ns>:sent` | sorted set: those hours |
//! | `<ns>:k:<sha256 of the key>` | hash: an idempotency key, 24 hours |
//! | `<ns>:f:<bot id>:<kind>:<sha256>` | a file_id, until unused for 180 days |
//! | `<ns>:probe` | written to see whether Redis takes changes again |
//! | `<ns>:r:<bot>` | hash: the recipient book, an address's key to chat and entry |
//! | `<ns>:ri:<bot>` | sorted set of those keys, for listing |
//! | `<ns>:rc:<bot>:<chat>` | set of the keys that lead to a chat |
//! | `<ns>:rg:<bot>` | hash: groups that wait for their creator's number, by chat |
//! | `<ns>:ru` | hash: the bots' usernames |
//! | `<ns>:quota:<client>:<day>` | how many notifications a named client has posted on a day, two days |
//! | `<ns>:op:<id>` | hash: an operation on many notifications, who works on it and until when |
//! | `<ns>:ops`, `<ns>:ops:open`, `<ns>:ops:done` | sorted sets of their ids: all, unfinished, finished by when |
//! | `<ns>:opk:<sha256 of the key>` | hash: the idempotency key of an operation, 24 hours |
//! | `<ns>:events` | stream: which notifications have ended, while somebody listens |
//! | `<ns>:events:after` | the id after which that stream is whole; it is written to as long as this is there |
//! | `<ns>:pins` | digests by the moment until which their bytes are needed |

mod acceptor;
mod begin_tokens;
mod bots;
mod callback_scripts;
mod callbacks;
mod cancels;
mod compaction;
mod deepest_chats;
mod event_log;
mod grouped_calls;
mod idempotency;
mod lane_counts;
mod ledger;
mod listing;
mod media_index;
mod operations;
mod packed;
mod pauses;
mod prelude;
mod quotas;
mod recipients;
mod record_fields;
mod removal;
mod reopening;
mod scripts;
mod set_up;
mod settled;
mod shared_connections;
mod write_behind;

pub use acceptor::DistributedAcceptor;
pub use ledger::RedisLedger;
pub use removal::remove_namespace;
pub use write_behind::WriteBehindLedger;
