//! Calls of one script by many tasks that go out together.
//!
//! A call that finds none under way goes out at once, by itself. Those that come while as many are under way as may be wait, and go
//! out as one when an answer has come: so there are groups when there is much to do, and nobody waits for the sake of one.
//! Redis makes the functions of a script once for a group, and client and server have one request and one answer.

use super::shared_connections::{REDIS_TIMEOUT, SharedConnections, out_of_time, words_for};
use crate::domain::NotificationId;
use crate::ports::LedgerError;
use deadpool_redis::redis::{self, Arg, Cmd, FromRedisValue, RedisWrite, Script, ToRedisArgs, Value};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Redis does nothing else while it runs a group: two milliseconds or less for so many.
const MAX_CALLS: usize = 32;

/// A group is given no more calls once their arguments take so many bytes.
const MAX_BYTES: usize = 256 * 1024;

/// Groups that are under way at a time: while Redis works on one the next is on its way.
const MAX_UNDER_WAY: usize = 2;

/// Nobody waits longer for an answer to others before another group goes out: what is under way may hang on a connection that leads
/// nowhere any more.
const PATIENCE: Duration = Duration::from_millis(100);

/// What a call says. One piece of memory, however many arguments it has.
pub(super) struct Arguments(Cmd);

impl Arguments {
    /// The first of them: the id of a record.
    pub(super) fn of(id: NotificationId) -> Self {
        let mut arguments = Self(Cmd::new());
        arguments.arg(id.to_string());
        arguments
    }

    /// Another one, or several.
    pub(super) fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        self.0.arg(argument);
        self
    }

    fn bytes(&self) -> usize {
        self.0.args_iter().map(|argument| if let Arg::Simple(bytes) = argument { bytes.len() } else { 0 }).sum()
    }
}

impl ToRedisArgs for Arguments {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        for argument in self.0.args_iter() {
            if let Arg::Simple(bytes) = argument {
                out.write_arg(bytes);
            }
        }
    }

    fn num_of_args(&self) -> usize {
        self.0.args_iter().len()
    }
}

/// A call, and who wants to know.
struct Call {
    arguments: Arguments,
    bytes: usize,
    answer: oneshot::Sender<Result<Value, LedgerError>>,
}

#[derive(Default)]
struct Waiting {
    calls: VecDeque<Call>,
    under_way: usize,
}

/// See the module.
pub(super) struct GroupedCalls {
    connections: Arc<SharedConnections>,
    script: &'static Script,
    namespace: String,
    waiting: Mutex<Waiting>,
}

impl GroupedCalls {
    /// Calls of a script that [`script_for_many`](super::prelude::script_for_many) has made.
    pub(super) fn new(connections: Arc<SharedConnections>, script: &'static Script, namespace: &str) -> Arc<Self> {
        Arc::new(Self { connections, script, namespace: namespace.to_owned(), waiting: Mutex::default() })
    }

    /// Runs the script. It is not run for whoever stops waiting for the answer before its group is made up.
    pub(super) async fn call<T: FromRedisValue>(self: &Arc<Self>, arguments: Arguments) -> Result<T, LedgerError> {
        let (answer, mut answered) = oneshot::channel();
        self.waiting().calls.push_back(Call { bytes: arguments.bytes(), arguments, answer });
        self.start_below(MAX_UNDER_WAY);
        let answer = match timeout(PATIENCE, &mut answered).await {
            Ok(answer) => answer,
            Err(_) => {
                self.start_below(usize::MAX);
                // The group has its own limits, for a connection and for an answer.
                timeout(2 * REDIS_TIMEOUT - PATIENCE, answered).await.map_err(|_| out_of_time())?
            }
        };
        let value = answer.map_err(|_| not_understood())??;
        T::from_redis_value(value).map_err(|_| not_understood())
    }

    /// Has what waits sent, if fewer groups than so many are under way.
    fn start_below(self: &Arc<Self>, limit: usize) {
        let mut waiting = self.waiting();
        if waiting.under_way < limit && !waiting.calls.is_empty() {
            waiting.under_way += 1;
            tokio::spawn(self.clone().send_groups());
        }
    }

    async fn send_groups(self: Arc<Self>) {
        loop {
            let next = self.waiting().next_group();
            let Some(group) = next else { return };
            let mut command = redis::cmd("EVALSHA");
            command.arg(self.script.get_hash()).arg(0).arg(&self.namespace);
            for call in &group {
                command.arg(call.arguments.num_of_args()).arg(&call.arguments);
            }
            let answers = self.connections.evalsha(self.script, &command, is_error).await;
            let mut answers = answers.map(Vec::into_iter);
            for call in group {
                let answer = match &mut answers {
                    Ok(answers) => answers.next().ok_or_else(not_understood).and_then(read),
                    Err(error) => Err(error.clone()),
                };
                // Whoever has gone does not want to know.
                let _ = call.answer.send(answer);
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Those that go out next. `None` if there are none: then there is one group less under way.
    fn next_group(&mut self) -> Option<Vec<Call>> {
        let (mut group, mut bytes) = (Vec::new(), 0);
        while group.len() < MAX_CALLS
            && bytes < MAX_BYTES
            && let Some(call) = self.calls.pop_front()
        {
            if !call.answer.is_closed() {
                bytes += call.bytes;
                group.push(call);
            }
        }
        if group.is_empty() {
            self.under_way -= 1;
            return None;
        }
        Some(group)
    }
}

/// The answer to one call: it alone, or nothing and why Redis has not gone on with it.
fn read(value: Value) -> Result<Value, LedgerError> {
    let Value::Array(mut parts) = value else { return Err(not_understood()) };
    match parts.pop() {
        Some(answer) if parts.is_empty() => Ok(answer),
        Some(Value::BulkString(error)) => {
            let error = String::from_utf8_lossy(&error);
            Err(LedgerError::Unavailable(words_for(error.split(' ').next().unwrap_or_default())))
        }
        _ => Err(not_understood()),
    }
}

fn is_error(answer: &Value) -> bool {
    !matches!(answer, Value::Array(parts) if parts.len() == 1)
}

fn not_understood() -> LedgerError {
    LedgerError::Unavailable("Redis answers otherwise than expected".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Answered = oneshot::Receiver<Result<Value, LedgerError>>;

    /// That many calls wait, each with so many bytes and an id.
    fn waiting(count: usize, bytes: usize) -> (Waiting, Vec<Answered>) {
        let call = |_| {
            let (answer, answered) = oneshot::channel();
            let mut arguments = Arguments::of(NotificationId::new());
            arguments.arg(vec![b'x'; bytes]);
            (Call { bytes: arguments.bytes(), arguments, answer }, answered)
        };
        let (calls, answered): (VecDeque<_>, Vec<_>) = (0..count).map(call).unzip();
        (Waiting { calls, under_way: 1 }, answered)
    }

    fn group_sizes(mut waiting: Waiting) -> Vec<usize> {
        let sizes = std::iter::from_fn(|| waiting.next_group().map(|group| group.len())).collect();
        assert_eq!(waiting.under_way, 0, "when none is left the group is no longer under way");
        sizes
    }

    #[test]
    fn a_group_is_bounded_in_calls_and_in_bytes() {
        let (calls, _answered) = waiting(70, 10);
        assert_eq!(group_sizes(calls), [32, 32, 6]);
        let (calls, _answered) = waiting(7, 100_000);
        assert_eq!(group_sizes(calls), [3, 3, 1]);
        let (calls, _answered) = waiting(2, 2 * MAX_BYTES);
        assert_eq!(group_sizes(calls), [1, 1], "what is too large for any group goes by itself");
    }

    #[test]
    fn whoever_stops_waiting_before_the_group_is_made_up_has_not_called() {
        let (calls, mut answered) = waiting(5, 10);
        answered.truncate(2);
        assert_eq!(group_sizes(calls), [2]);
    }
}
