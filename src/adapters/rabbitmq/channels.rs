//! The channels of one connection.

use futures_util::FutureExt;
use lapin::{Channel, Connection};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

pub(super) struct Channels {
    pub(super) connection: Connection,
    unanswered_closes: Arc<AtomicUsize>,
    session_ended: CancellationToken,
}

impl Channels {
    /// `session_ended`: from then on nobody waits for the broker to answer that a channel is closed.
    pub(super) fn new(connection: Connection, session_ended: CancellationToken) -> Self {
        Self { connection, unanswered_closes: Arc::default(), session_ended }
    }

    /// Opens a channel.
    pub(super) async fn open(&self) -> lapin::Result<AutoCloseChannel> {
        let channel = self.connection.create_channel().await?;
        let (unanswered_closes, session_ended) = (self.unanswered_closes.clone(), self.session_ended.clone());
        Ok(AutoCloseChannel { channel, unanswered_closes, session_ended })
    }

    /// How many channels are closed without the broker having said so.
    pub(super) fn unanswered_closes(&self) -> usize {
        self.unanswered_closes.load(Ordering::Relaxed)
    }
}

/// A channel that is closed when dropped, and counted until the broker says that it is.
pub(super) struct AutoCloseChannel {
    channel: Channel,
    unanswered_closes: Arc<AtomicUsize>,
    session_ended: CancellationToken,
}

impl Deref for AutoCloseChannel {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        &self.channel
    }
}

impl Drop for AutoCloseChannel {
    fn drop(&mut self) {
        let Ok(runtime) = Handle::try_current() else { return };
        let (channel, session_ended) = (self.channel.clone(), self.session_ended.clone());
        let unanswered_closes = self.unanswered_closes.clone();
        unanswered_closes.fetch_add(1, Ordering::Relaxed);
        runtime.spawn(async move {
            // No longer than the session: a channel keeps its connection open.
            session_ended.run_until_cancelled(channel.close(200, "OK".into())).await;
            unanswered_closes.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Closes the channel when dropped, consumers and all, so that everything unacked is requeued at once and in its order. A
/// consumer that is cancelled before its channel is closed, as one is that is dropped, still holds what it has not acked, and
/// what is just on its way to it: the next consumer gets what comes later first (seen with RabbitMQ 3.10).
pub(super) struct CloseOnDrop<'a>(pub(super) &'a Channel);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        // The first poll hands the request over; nobody needs the answer.
        let _ = self.0.close(200, "OK".into()).now_or_never();
    }
}
