//! The adapters behind the ports: one contract suite per port, and what is each adapter's own, faults included.

mod acceptor;
mod backlog;
mod contract;
mod embedded;
mod embedded_damage;
mod objects;
mod rabbitmq;
mod rabbitmq_depth;
mod rabbitmq_detours;
mod rabbitmq_faults;
mod rabbitmq_owners;
mod rabbitmq_publishing;
mod rabbitmq_version;
mod redis;
mod redis_chats;
mod redis_counts;
mod redis_groups;
mod redis_outages;
mod redis_records;
mod redis_set_up;
mod servers;
mod tls;
