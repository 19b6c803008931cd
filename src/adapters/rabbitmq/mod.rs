//! The queue on RabbitMQ: durable quorum queues; persistent, mandatory publishes with publisher confirms; consumers with
//! manual acks. At-least-once delivery throughout.
//!
//! Publishing and consuming have a connection each, kept up by a supervisor (`connection`). A subscription runs on one
//! channel of the consuming connection (`ownership_loop`): it waits on a quorum queue with a single active consumer for
//! the bot's token message, owns the bot while it holds that token unacked (`token_renewal`), and consumes the bot's
//! three lanes and what its courier has put back meanwhile (`lane_consumer`). Each ownership has an epoch, a fencing token: acks of an earlier epoch are
//! refused (`unacked`). Whatever fails, the channel is closed, which requeues what was unacked, and everything is set
//! up again by the same code.
//!
//! The bots are spread over the workers, evenly: every worker is counted by a consumer of its own (`presence`), knows
//! which bots it has (`stakes`), passes a token on when it has its share, and gives bots away when it has more
//! (`spreading`). What the next owner must know rides in the token (`release`).
//!
//! What callers wait for is stored by any node of a cluster that answers (`accepting`).
//!
//! A message that is not due waits in delay queues, whose message TTL and dead-letter exchange bring it back
//! (`delay_levels`); if it can be brought nowhere then, it is an orphan (`orphans`). What the broker gives up on becomes a dead letter (`dead_letter`); outcomes that the ledger
//! cannot take go to a journal queue (`journal`); callers are notified by direct reply-to (`outcome_notifier`).

mod accepting;
mod address;
mod amqp;
mod attribution;
mod broker;
mod channels;
mod confirm_watch;
mod connection;
mod dead_letter;
mod declarations;
mod declared_once;
mod delay_levels;
mod depths;
mod in_flight;
mod journal;
mod lane_buffer;
mod lane_consumer;
mod message;
mod orphans;
mod outcome_notifier;
mod ownership;
mod ownership_loop;
mod ownership_token;
mod presence;
mod publish_channel;
mod publish_channels;
mod publish_outcome;
mod publishing;
mod queue;
mod release;
mod removal;
mod server_version;
mod session;
mod side_queue;
mod silent_queues;
mod spreading;
mod stakes;
mod subscription;
mod token_renewal;
mod topology;
mod unacked;

pub use dead_letter::DeadLetter;
pub use journal::JournalMessage;
pub use orphans::{Orphan, inspect_orphans};
pub use queue::RabbitQueue;
pub use removal::remove_namespace;
