//! The queue port over the rows of the file.

use super::deliveries;
use super::dispatcher::Dispatcher;
use super::handing_over::{self, DirectDelivery};
use super::limits::MAX_WAITING_DELIVERIES;
use super::ownership_table::OwnershipTable;
use super::queue_rows::QueueRow;
use super::sqlite_store::SqliteStore;
use super::store_error::StoreError;
use super::writer::Durability;
use crate::domain::{BotName, Notification, Timestamp};
use crate::ports::{Depth, HandOver, Queue, QueueError, Receipt, Subscription};
use async_trait::async_trait;
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

    /// Does something about a delivery, which says whether its receipt is of the present ownership.
    async fn change_delivery(
        &self,
        durability: Durability,
        change: impl FnOnce(&Connection) -> Result<bool, StoreError> + Send + 'static,
    ) -> Result<(), QueueError> {
        if self.store.write(durability, change).await? { Ok(()) } else { Err(QueueError::Stale) }
    }
}

#[async_trait]
impl Queue for EmbeddedQueue {
    async fn publish(&self, notification: &Notification) -> Result<(), QueueError> {
        let (row, notification, owners) = (QueueRow::of(notification), notification.clone(), self.owners.clone());
        let put = move |conn: &Connection| handing_over::enqueue(conn, &owners, &row, notification);
        let hand_over = |direct: Option<DirectDelivery>| direct.map(DirectDelivery::hand_over);
        self.store.write_then(Durability::Disk, put, hand_over).await?;
        Ok(())
    }

    async fn subscribe(&self, bot: &BotName, window: u16) -> Result<Subscription, QueueError> {
        let window = window.max(1);
        let (epoch, ownership) = watch::channel(None);
        let (left, inherited) = watch::channel(None);
        let (sender, deliveries) = mpsc::channel(MAX_WAITING_DELIVERIES);
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
        let (receipt, owners) = (receipt.clone(), self.owners.clone());
        // An ack that a power cut undoes is a redelivery of something final, which the ledger stops.
        self.change_delivery(Durability::Process, move |conn| deliveries::ack(conn, &owners, &receipt)).await
    }

    async fn defer(&self, receipt: &Receipt, notification: &Notification, until: Timestamp) -> Result<(), QueueError> {
        let (receipt, owners) = (receipt.clone(), self.owners.clone());
        let mut row = QueueRow::of(notification);
        row.schedule(until);
        self.change_delivery(Durability::Disk, move |conn| deliveries::defer(conn, &owners, &receipt, &row)).await
    }

    async fn release(&self, bot: &BotName, epoch: u64, left: HandOver) -> Result<(), QueueError> {
        if self.owners.of(bot).release(epoch, left) { Ok(()) } else { Err(QueueError::Stale) }
    }

    async fn depth(&self, bot: &BotName) -> Result<Depth, QueueError> {
        let lanes = self.store.counts()?.lanes_of(bot);
        Ok(Depth { lanes: lanes.map(|lane| lane.ready + lane.unacked) })
    }

    async fn ready(&self) -> Result<(), QueueError> {
        Ok(self.store.ready().await?)
    }
}
