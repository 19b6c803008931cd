//! The queue port over the rows of the file.

use super::dispatcher::Dispatcher;
use super::ownership_table::OwnershipTable;
use super::queue_rows::{self, QueueRow};
use super::sqlite_store::SqliteStore;
use super::store_error::StoreError;
use super::writer::Durability;
use crate::domain::{BotName, Notification, Timestamp};
use crate::ports::{Depth, HandOver, Queue, QueueError, Receipt, Subscription};
use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use rusqlite::Connection;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// [`Queue`] in the file.
pub struct EmbeddedQueue {
    store: Arc<SqliteStore>,
    owners: Arc<OwnershipTable>,
}

impl EmbeddedQueue {
    /// Over the open file. `owners` is the table that the acceptor wakes dispatchers by.
    pub fn new(store: Arc<SqliteStore>, owners: Arc<OwnershipTable>) -> Self {
        Self { store, owners }
    }

    /// Changes the row behind a receipt by its tag, if the receipt is of the present ownership. `change` says whether the dispatcher
    /// is to claim anew; it leaves a delivery alone that was acked or deferred already.
    async fn change_unacked(
        &self,
        receipt: &Receipt,
        durability: Durability,
        change: impl FnOnce(&Connection, u64) -> Result<bool, StoreError> + Send + 'static,
    ) -> Result<(), QueueError> {
        let (receipt, owners) = (receipt.clone(), self.owners.clone());
        let ownership = owners.of(&receipt.bot);
        let is_current = self.store.write(durability, move |conn| {
            // Asked on the writer's thread: a later owner requeues its rows only after this transaction.
            if !ownership.is_current(receipt.epoch) {
                return Ok(false);
            }
            if change(conn, receipt.tag)? {
                owners.wake_dispatcher(&receipt.bot);
            }
            Ok(true)
        });
        if is_current.await? { Ok(()) } else { Err(QueueError::Stale) }
    }
}

#[async_trait]
impl Queue for EmbeddedQueue {
    async fn publish(&self, notification: &Notification) -> Result<(), QueueError> {
        let row = QueueRow::of(notification);
        let owners = self.owners.clone();
        let put = move |conn: &Connection| {
            row.insert(conn)?;
            owners.wake_dispatcher(&row.bot);
            Ok(())
        };
        Ok(self.store.write(Durability::Disk, put).await?)
    }

    async fn subscribe(&self, bot: &BotName, window: u16) -> Result<Subscription, QueueError> {
        let window = window.max(1);
        let (epoch, ownership) = watch::channel(None);
        let (left, inherited) = watch::channel(None);
        let (sender, deliveries) = mpsc::channel(1);
        let dispatcher = Dispatcher {
            store: self.store.clone(),
            owners: self.owners.clone(),
            bot: bot.clone(),
            window,
            epoch,
            inherited: left,
            deliveries: sender,
        };
        tokio::spawn(dispatcher.run());
        // Nobody asks for a release: there is one process.
        let (_, release) = watch::channel(false);
        Ok(Subscription { ownership, deliveries, release, inherited })
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), QueueError> {
        // An ack that a power cut undoes is a redelivery of something final, which the ledger stops.
        let (bot, ownership) = (receipt.bot.clone(), self.owners.of(&receipt.bot));
        let ack = move |conn: &Connection, tag| {
            if !queue_rows::delete(conn, tag)? {
                return Ok(false);
            }
            let lanes = queue_rows::lane_counts(conn, &bot)?;
            if lanes.iter().any(|lane| lane.ready > 0) {
                ownership.make_room();
            }
            Ok(lanes.iter().any(|lane| lane.wants_claim(ownership.window())))
        };
        self.change_unacked(receipt, Durability::Process, ack).await
    }

    async fn defer(&self, receipt: &Receipt, notification: &Notification, until: Timestamp) -> Result<(), QueueError> {
        let mut row = QueueRow::of(notification);
        row.schedule(until);
        self.change_unacked(receipt, Durability::Disk, move |conn, tag| row.put_back(conn, tag)).await
    }

    async fn release(&self, bot: &BotName, epoch: u64, left: HandOver) -> Result<(), QueueError> {
        if self.owners.of(bot).release(epoch, left) { Ok(()) } else { Err(QueueError::Stale) }
    }

    async fn depth(&self, bot: &BotName) -> Result<Depth, QueueError> {
        let bot = bot.clone();
        Ok(self.store.read(move |conn| queue_rows::depth(conn, &bot)).await?)
    }

    /// One question for all.
    fn depths(&self, bots: Vec<BotName>) -> BoxStream<'_, (BotName, Result<Depth, QueueError>)> {
        let asked = async move {
            let told = self.store.read(queue_rows::depths).await;
            let depth_of = move |bot: BotName| {
                let depths = told.as_ref().map_err(|error| error.clone().into());
                let depth = depths.map(|depths| depths.get(bot.as_str()).copied().unwrap_or_default());
                (bot, depth)
            };
            stream::iter(bots.into_iter().map(depth_of))
        };
        stream::once(asked).flatten().boxed()
    }

    async fn ready(&self) -> Result<(), QueueError> {
        Ok(self.store.ready().await?)
    }
}
