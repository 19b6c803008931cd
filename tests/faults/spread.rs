//! Twelve bots on three workers: each has its share, through a stop and a start, and nobody who gets the pictures notices.
//!
//! `PIXCOURIER_SPREAD_COUNT=20000` asks for that many notifications, at a faster pace: minutes.

use crate::load::{Book, Client};
use crate::service::{Engine, Service};
use crate::{reconcile, sandbox, wait};
use pixcourier::sandbox::MessageFilter;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const BOTS: u64 = 12;
const CHATS: u64 = 20;
const FIRST_BOT_ID: u64 = 500_000;
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);
/// What must be spread within a minute of a start.
const SPREAD_TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn twelve_bots_are_spread_over_three_workers_through_a_stop_and_a_start() {
    let asked = std::env::var("PIXCOURIER_SPREAD_COUNT").ok().and_then(|count| count.parse().ok());
    let (count, rate) = asked.map_or((2_000, 8), |count| (count, 20));
    let sandbox = sandbox::start();
    let mut first = Service::new("spread-first", Engine::shared(), &sandbox.url());
    equip(&mut first, rate);
    let (mut second, mut third) = (first.peer("spread-second"), first.peer("spread-third"));
    for service in [&mut second, &mut third] {
        equip(service, rate);
    }
    first.start().await;
    owned(&[&first], &[12]).await;
    // A little faster than the bots may send: each always has something to send, so a pause of one shows.
    let load = Load::start(&first.client(), count, Duration::from_millis(900 / rate));
    second.start().await;
    third.start().await;
    let mut logs: Vec<PathBuf> = [&first, &second, &third].map(|service| service.process().log.clone()).into();
    let after_start = owned(&[&first, &second, &third], &[4, 4, 4]).await;
    traffic(&sandbox).await;
    let stopped_at = Instant::now();
    third.process().terminate();
    assert_eq!(third.end(WAIT_TIMEOUT).await.code(), Some(0));
    let stop_took = stopped_at.elapsed();
    let after_stop = owned(&[&first, &second], &[6, 6]).await;
    traffic(&sandbox).await;
    third.start().await;
    logs.push(third.process().log.clone());
    let after_return = owned(&[&first, &second, &third], &[4, 4, 4]).await;
    traffic(&sandbox).await;
    let book = load.finish().await;

    let figures = reconcile::compare(&first.client(), &sandbox, &book, 5 * WAIT_TIMEOUT).await;
    let arrivals = arrivals_by_bot(&sandbox);
    let gaps: Vec<u64> = arrivals.values().map(|times| longest_gap(times)).collect();
    let moves = moves(&logs);
    let taken = handed_over(&logs);
    let fastest = taken.iter().map(|(bot, at)| most_in_a_second(&arrivals[bot], *at)).max().unwrap_or(0);
    let mut ownerless = ownerless(&logs);
    ownerless.sort_unstable();
    println!(
        "spread: {figures}; 4/4/4 after {:.1} s, 6/6 {:.1} s after a stop that took {:.1} s, 4/4/4 after {:.1} s; \
         {} moves; longest pause of each bot in ms {gaps:?} at {rate} a second; at most {fastest} in a second around a hand-over; \
         without an owner for so many ms {ownerless:?}",
        after_start.as_secs_f64(),
        after_stop.as_secs_f64(),
        stop_took.as_secs_f64(),
        after_return.as_secs_f64(),
        moves.len(),
    );
    figures.assert_kept();
    assert_eq!(figures.duplicates(), 0, "{:?}", figures.extra);
    assert!(moves.len() >= 8 + 4, "8 bots move at first, and 4 to who comes back: {moves:?}");
    for pair in moves.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "two moves at once: {moves:?}");
    }
    assert!(taken.len() >= 8 + 4 + 4, "each move hands over what was sent: {taken:?}");
    assert!(ownerless.len() >= 8 + 4 + 4, "those of who stops move too: {ownerless:?}");
    assert!(ownerless[ownerless.len() / 2] < 1_000, "bots had no owner for {ownerless:?} ms");
    // More than a busy machine adds, and less than a loss of the bot takes to be noticed and waited for.
    assert!(gaps.iter().all(|gap| *gap < 3_000), "a bot paused for {gaps:?} ms");
    // A busy machine brings some late, and so together; a new owner that knew nothing would send up to twice as many.
    assert!(fastest <= rate as usize * 3 / 2, "{fastest} in a second, at {rate}");
}

/// Gives it the bots and their pace.
fn equip(service: &mut Service, rate: u64) {
    let token = |number: u64| format!("{}:TOKEN-of-a-bot-that-is-moved-about", FIRST_BOT_ID + number);
    service.set_bots((0..BOTS).map(|number| (format!("bot-{number}"), token(number))));
    service.set("BOT_RATE", &rate.to_string());
}

/// Waits until the services own so many bots each, fewest first, and returns how long that took.
async fn owned(services: &[&Service], expected: &[usize]) -> Duration {
    let began = Instant::now();
    wait::until_true(&format!("{expected:?} bots"), SPREAD_TIMEOUT, async || {
        let mut counts = Vec::new();
        for service in services {
            let page = service.client().metrics().await.unwrap_or_default();
            let owns = |line: &&str| line.starts_with("pixcourier_owned{") && line.ends_with(" 1");
            counts.push(page.lines().filter(owns).count());
        }
        counts == expected
    })
    .await;
    began.elapsed()
}

async fn traffic(sandbox: &sandbox::Sandbox) {
    let sent = sandbox.stats().sends;
    wait::until_true("traffic", WAIT_TIMEOUT, async || sandbox.stats().sends > sent + 200).await;
}

/// When each bot's messages arrived, Unix time in milliseconds.
fn arrivals_by_bot(sandbox: &sandbox::Sandbox) -> BTreeMap<u64, Vec<u64>> {
    let mut arrivals = BTreeMap::<u64, Vec<u64>>::new();
    for message in sandbox.messages(&MessageFilter::default()) {
        arrivals.entry(message.bot - FIRST_BOT_ID).or_default().push(message.at_ms);
    }
    arrivals
}

fn longest_gap(times: &[u64]) -> u64 {
    times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or(0)
}

/// How many arrived at most in a second that the moment is in.
fn most_in_a_second(times: &[u64], moment: u64) -> usize {
    let around = times.iter().filter(|at| at.abs_diff(moment) < 1_000);
    around.map(|first| times.iter().filter(|at| (*first..first + 1_000).contains(*at)).count()).max().unwrap_or(0)
}

/// Which bot came to a new owner when, with what its last one had left; Unix time in milliseconds.
fn handed_over(logs: &[PathBuf]) -> Vec<(u64, u64)> {
    let taken = lines(logs, ": owns the bot").into_iter().filter(|(_, line)| field(line, "handed_over") == "true");
    let bot = |line: &str| field(line, "bot").trim_start_matches("bot-").parse().unwrap();
    taken.map(|(at, line)| (bot(&line), at.unsigned_abs())).collect()
}

/// The beginnings and ends of all moves, in the order of their beginnings, as the workers log them; Unix time in
/// milliseconds.
fn moves(logs: &[PathBuf]) -> Vec<(i64, i64)> {
    let moved = lines(logs, "gave the bot away").into_iter();
    let mut moves: Vec<_> =
        moved.map(|(end, line)| (end - field(&line, "took_ms").parse::<i64>().unwrap(), end)).collect();
    moves.sort_unstable();
    moves
}

/// For how long each bot had no owner, each time it had lost one, in milliseconds.
fn ownerless(logs: &[PathBuf]) -> Vec<i64> {
    let (lost, taken) = (lines(logs, "no longer owns the bot"), lines(logs, ": owns the bot"));
    let next = |(at, line): &(i64, String)| {
        let later =
            taken.iter().filter(|(taken_at, taken)| taken_at >= at && field(taken, "bot") == field(line, "bot"));
        later.map(|(taken_at, _)| taken_at - at).min()
    };
    lost.iter().filter_map(next).collect()
}

/// The log lines with these words, and when they were written, Unix time in milliseconds.
fn lines(logs: &[PathBuf], words: &str) -> Vec<(i64, String)> {
    let plain = |log: &PathBuf| std::fs::read_to_string(log).unwrap().lines().map(without_colours).collect::<Vec<_>>();
    let found = logs.iter().flat_map(plain).filter(|line| line.contains(words));
    let timed = found.map(|line| {
        let time = line.split_whitespace().next().expect("a log line begins with its time");
        (pixcourier::domain::Timestamp::parse(time).expect("a time").unix_millis(), line)
    });
    timed.collect()
}

fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let value = line.split(&format!(" {name}=")).nth(1).and_then(|rest| rest.split_whitespace().next());
    value.unwrap_or_else(|| panic!("no {name} in {line}"))
}

fn without_colours(line: &str) -> String {
    let mut pieces = line.split('\u{1b}');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |plain, piece| plain + piece.split_once('m').map_or("", |(_, rest)| rest))
}

/// A caller for each bot.
struct Load {
    callers: JoinSet<()>,
    enough: Arc<AtomicBool>,
    book: Arc<Mutex<Book>>,
}

impl Load {
    /// Posts so many at least, and until it is told to stop.
    fn start(client: &Client, count: usize, interval: Duration) -> Self {
        let (enough, book) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Book>>::default());
        let posted = Arc::new(AtomicUsize::new(0));
        let mut callers = JoinSet::new();
        for bot in 0..BOTS {
            let (client, enough, book, posted) = (client.clone(), enough.clone(), book.clone(), posted.clone());
            callers.spawn(async move {
                let mut pace = tokio::time::interval(interval);
                for number in 0.. {
                    if enough.load(Ordering::Relaxed) && posted.load(Ordering::Relaxed) >= count {
                        return;
                    }
                    pace.tick().await;
                    let text = format!("{number} by bot {bot}");
                    let chat = 1_000 * (bot + 1) + number % CHATS;
                    let letter = json!({"bot": format!("bot-{bot}"), "chat_id": chat, "text": text});
                    let answer = client.post_json(&letter).await.unwrap();
                    assert_eq!(answer.status, 202, "{}", answer.text);
                    book.lock().unwrap().confirm_text(text, &answer);
                    posted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { callers, enough, book }
    }

    async fn finish(mut self) -> Book {
        self.enough.store(true, Ordering::Relaxed);
        while let Some(ended) = self.callers.join_next().await {
            ended.unwrap();
        }
        self.book.lock().unwrap().clone()
    }
}
