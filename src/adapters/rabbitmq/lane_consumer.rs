//! What an owner does: it consumes the bot's queues (what was put back, the three lanes, and what is large) while it holds the
//! token, and renews the token in between.

use super::amqp::{consume, consumer_end_reason, setup_step};
use super::channels::CloseOnDrop;
use super::lane_buffer::LaneBuffer;
use super::ownership::Ownership;
use super::subscription::BotSubscription;
use super::token_renewal::TokenRenewal;
use super::topology::BotQueue;
use futures_util::StreamExt;
use lapin::message::Delivery as AmqpDelivery;
use lapin::options::BasicQosOptions;
use lapin::{Channel, Consumer};
use std::convert::Infallible;
use std::task::Poll;
use tokio::time::Instant;

/// Owns the bot by the token held; ends with the reason for which it does no more.
pub(super) async fn consume_lanes(
    subscription: &BotSubscription,
    channel: &Channel,
    tokens: &mut Consumer,
    held: AmqpDelivery,
) -> Result<Infallible, String> {
    // Dropped in the reverse order: the ownership ends first, then the channel, then what consumes on it.
    let mut queues;
    let mut renewal = TokenRenewal::holding(subscription, held);
    let _close_on_drop = CloseOnDrop(channel);
    let inherited = renewal.take_inheritance(tokens).await?;
    let (ownership, mut releases) = Ownership::begin(subscription, inherited);
    queues = Vec::with_capacity(BotQueue::ALL.len());
    for queue in BotQueue::ALL {
        // RabbitMQ applies the prefetch to each consumer that is started after it.
        setup_step(channel.basic_qos(queue.prefetch(subscription.window), BasicQosOptions::default())).await?;
        queues.push(consume(channel, subscription.broker.topology.bot_queue(&subscription.bot, queue)).await?);
    }
    ownership.unacked.begin_consuming(Instant::now());
    let mut buffer = LaneBuffer::new(&ownership, subscription.window);
    let release = loop {
        tokio::select! {
            biased;
            token = tokens.next() => match token {
                Some(Ok(token)) => renewal.receive(token).await?,
                ended => return Err(consumer_end_reason(ended)),
            },
            renewed = renewal.progress() => renewed?,
            Some(release) = releases.recv() => break release,
            (queue, delivery) = next_of(&mut queues) => match delivery {
                Some(Ok(delivery)) => buffer.add(queue, delivery),
                ended => return Err(consumer_end_reason(ended)),
            },
            () = buffer.wait_for_change(), if buffer.has_waiting() => {}
            permit = subscription.deliveries.reserve(), if buffer.has_ready() => {
                let permit = permit.map_err(|_| "the subscription was dropped")?;
                if let Some(delivery) = buffer.pop_ready() {
                    permit.send(delivery);
                }
            }
        }
    };
    // The courier has let go; nothing may leave in its name once the next owner may have the bot.
    drop(buffer);
    drop(ownership);
    subscription.broker.stakes.record_given_away(subscription.stake);
    renewal.replace(tokens, Some(release.left)).await??;
    setup_step(channel.close(200, "OK".into())).await?;
    let _ = release.done.send(());
    Err("the bot was given away".to_owned())
}

/// The next delivery of the queues, the first queue first.
async fn next_of(queues: &mut [Consumer]) -> (BotQueue, Option<lapin::Result<AmqpDelivery>>) {
    std::future::poll_fn(|cx| {
        for (consumer, queue) in queues.iter_mut().zip(BotQueue::ALL) {
            if let Poll::Ready(delivery) = consumer.poll_next_unpin(cx) {
                return Poll::Ready((queue, delivery));
            }
        }
        Poll::Pending
    })
    .await
}
