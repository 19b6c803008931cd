//! The contract of [`Recipients`].

use super::bot;
use futures_util::future::join_all;
use pixcourier::domain::{
    Address, BotName, ChatId, PendingGroup, Recipient, RecipientSource, RecipientState, Timestamp,
};
use pixcourier::ports::{RecipientQuery, Recipients};
use std::sync::Arc;

/// Runs every check.
pub async fn suite(book: Arc<dyn Recipients>) {
    what_is_put_is_found_as_it_was(&book).await;
    the_last_put_counts_and_its_chat_alone(&book).await;
    every_bot_has_a_book_of_its_own(&book).await;
    what_is_deleted_is_gone_and_nothing_else(&book).await;
    blocked_and_unblocked_are_all_entries_of_a_chat(&book).await;
    a_chat_that_moved_takes_its_entries_along(&book).await;
    a_chat_that_is_removed_takes_its_entries_away(&book).await;
    pages_hold_everything_once_in_order(&book).await;
    groups_of_one_name_are_listed_and_no_others(&book).await;
    groups_wait_for_their_creator(&book).await;
    bots_are_introduced(&book).await;
    concurrent_changes_lose_nothing(&book).await;
}

fn number(digits: &str) -> Address {
    Address::Number(digits.parse().expect("a number"))
}

fn group(name: &str, admin: &str) -> Address {
    Address::Group { name: name.parse().expect("a name"), admin: admin.parse().expect("a number") }
}

fn entry(bot: &BotName, address: Address, chat: i64) -> Recipient {
    Recipient {
        bot: bot.clone(),
        address,
        chat_id: ChatId::Id(chat),
        name: None,
        registered_at: Timestamp::now(),
        source: RecipientSource::Bot,
        state: RecipientState::Active,
    }
}

async fn put(book: &Arc<dyn Recipients>, entry: &Recipient) {
    book.put(std::slice::from_ref(entry)).await.expect("put");
}

async fn get(book: &Arc<dyn Recipients>, bot: &BotName, address: &Address) -> Option<Recipient> {
    book.get(bot, address).await.expect("get")
}

async fn chat_of(book: &Arc<dyn Recipients>, bot: &BotName, address: &Address) -> Option<ChatId> {
    get(book, bot, address).await.map(|entry| entry.chat_id)
}

/// Every member survives, odd names and the outermost chat ids included.
pub async fn what_is_put_is_found_as_it_was(book: &Arc<dyn Recipients>) {
    let bot = bot("book-put");
    assert_eq!(get(book, &bot, &number("491701234567")).await, None);
    let plain = entry(&bot, number("491701234567"), 4_503_599_627_370_495);
    let odd = Recipient {
        chat_id: ChatId::Username("@some_channel".to_owned()),
        name: Some("'; DROP TABLE recipients; -- \u{0} * é 🦀 \n".to_owned()),
        source: RecipientSource::Import,
        state: RecipientState::Blocked,
        ..entry(&bot, group("Ops: 🦀 [a-z]* \"room\"", "15551234567"), 1)
    };
    let negative = entry(&bot, group("Ops", "15551234567"), -4_503_599_627_370_495);
    book.put(&[plain.clone(), odd.clone(), negative.clone()]).await.expect("put");
    for wanted in [plain, odd, negative] {
        assert_eq!(get(book, &bot, &wanted.address).await.as_ref(), Some(&wanted));
        assert_eq!(book.of_chat(&bot, &wanted.chat_id).await.expect("of_chat"), [wanted]);
    }
    assert_eq!(get(book, &bot, &group("ops", "15551234567")).await, None, "names are compared letter by letter");
    book.put(&[]).await.expect("nothing to put is fine");
}

/// A number with a new owner no longer leads to the old one.
pub async fn the_last_put_counts_and_its_chat_alone(book: &Arc<dyn Recipients>) {
    let bot = bot("book-last");
    let address = number("491700000001");
    put(book, &entry(&bot, address.clone(), 1)).await;
    put(book, &entry(&bot, address.clone(), 2)).await;
    assert_eq!(chat_of(book, &bot, &address).await, Some(ChatId::Id(2)));
    assert_eq!(book.of_chat(&bot, &ChatId::Id(1)).await.expect("of_chat"), []);
    assert_eq!(book.of_chat(&bot, &ChatId::Id(2)).await.expect("of_chat").len(), 1);
    assert_eq!(
        book.remove_chat(&bot, &ChatId::Id(1)).await.expect("remove_chat"),
        0,
        "nothing of the old chat is left"
    );
    assert_eq!(chat_of(book, &bot, &address).await, Some(ChatId::Id(2)));
}

/// A chat with one bot is not a chat with another.
pub async fn every_bot_has_a_book_of_its_own(book: &Arc<dyn Recipients>) {
    let (mine, other) = (bot("book-mine"), bot("book-mine-2"));
    let address = number("491700000002");
    put(book, &entry(&mine, address.clone(), 7)).await;
    assert_eq!(chat_of(book, &other, &address).await, None);
    put(book, &entry(&other, address.clone(), 8)).await;
    book.set_state(&other, &ChatId::Id(7), RecipientState::Blocked).await.expect("set_state");
    book.remove_chat(&other, &ChatId::Id(8)).await.expect("remove_chat");
    let left = get(book, &mine, &address).await.expect("still there");
    assert_eq!((left.chat_id, left.state), (ChatId::Id(7), RecipientState::Active));
}

/// And says whether it was there.
pub async fn what_is_deleted_is_gone_and_nothing_else(book: &Arc<dyn Recipients>) {
    let bot = bot("book-delete");
    let (one, two) = (number("491700000003"), group("Two names", "491700000003"));
    put(book, &entry(&bot, one.clone(), 5)).await;
    put(book, &entry(&bot, two.clone(), 5)).await;
    assert!(book.delete(&bot, &one).await.expect("delete"));
    assert!(!book.delete(&bot, &one).await.expect("delete"), "it is gone already");
    assert_eq!(get(book, &bot, &one).await, None);
    let left = book.of_chat(&bot, &ChatId::Id(5)).await.expect("of_chat");
    assert_eq!(left.into_iter().map(|entry| entry.address).collect::<Vec<_>>(), [two]);
}

/// Whatever addresses lead to it.
pub async fn blocked_and_unblocked_are_all_entries_of_a_chat(book: &Arc<dyn Recipients>) {
    let bot = bot("book-block");
    let (one, two, other) = (number("491700000004"), number("491700000005"), number("491700000006"));
    for (address, chat) in [(&one, 5), (&two, 5), (&other, 6)] {
        put(book, &entry(&bot, address.clone(), chat)).await;
    }
    for state in [RecipientState::Blocked, RecipientState::Blocked, RecipientState::Active] {
        assert_eq!(book.set_state(&bot, &ChatId::Id(5), state).await.expect("set_state"), 2);
        for address in [&one, &two] {
            assert_eq!(get(book, &bot, address).await.map(|entry| entry.state), Some(state));
        }
        assert_eq!(get(book, &bot, &other).await.map(|entry| entry.state), Some(RecipientState::Active));
    }
    assert_eq!(book.set_state(&bot, &ChatId::Id(99), RecipientState::Blocked).await.expect("set_state"), 0);
}

/// Entries and waiting groups; a second time changes nothing.
pub async fn a_chat_that_moved_takes_its_entries_along(book: &Arc<dyn Recipients>) {
    let bot = bot("book-move");
    let (old, new) = (ChatId::Id(-100), ChatId::Id(-1_001_234_567_890));
    let address = group("Moving", "491700000007");
    put(book, &entry(&bot, address.clone(), -100)).await;
    put(book, &entry(&bot, group("Staying", "491700000007"), -101)).await;
    book.hold_group(&waiting(&bot, -100, 42)).await.expect("hold_group");
    for moved in [1, 0] {
        assert_eq!(book.rekey(&bot, &old, &new).await.expect("rekey"), moved);
        assert_eq!(chat_of(book, &bot, &address).await.as_ref(), Some(&new));
        assert_eq!(book.of_chat(&bot, &old).await.expect("of_chat"), []);
        let held = book.held_group(&bot, &new).await.expect("held_group").map(|group| group.chat_id);
        assert_eq!(held.as_ref(), Some(&new));
        assert_eq!(book.held_group(&bot, &old).await.expect("held_group"), None);
    }
    assert_eq!(chat_of(book, &bot, &group("Staying", "491700000007")).await, Some(ChatId::Id(-101)));
}

/// Entries and waiting groups.
pub async fn a_chat_that_is_removed_takes_its_entries_away(book: &Arc<dyn Recipients>) {
    let bot = bot("book-remove");
    for (name, chat) in [("One", -5), ("One again", -5), ("Other", -6)] {
        put(book, &entry(&bot, group(name, "491700000008"), chat)).await;
    }
    book.hold_group(&waiting(&bot, -5, 42)).await.expect("hold_group");
    assert_eq!(book.remove_chat(&bot, &ChatId::Id(-5)).await.expect("remove_chat"), 2);
    assert_eq!(book.remove_chat(&bot, &ChatId::Id(-5)).await.expect("remove_chat"), 0);
    assert_eq!(book.held_group(&bot, &ChatId::Id(-5)).await.expect("held_group"), None);
    let page = book.list(&all(&bot, 10)).await.expect("list");
    assert_eq!(page.recipients.len(), 1);
}

fn all(bot: &BotName, limit: usize) -> RecipientQuery {
    RecipientQuery { bot: bot.clone(), group_name: None, limit, after: None }
}

/// Also when the end of a page is deleted before the next is asked for.
pub async fn pages_hold_everything_once_in_order(book: &Arc<dyn Recipients>) {
    let bot = bot("book-pages");
    let mut expected: Vec<Address> = (0..7).map(|i| number(&format!("49170000010{i}"))).collect();
    expected.extend((0..4).map(|i| group(&format!("Group {i}"), "491700000100")));
    let entries: Vec<Recipient> = (1..).zip(&expected).map(|(chat, a)| entry(&bot, a.clone(), chat)).collect();
    book.put(&entries).await.expect("put");
    expected.sort_by_key(Address::key);
    let (mut found, mut query) = (Vec::new(), all(&bot, 4));
    loop {
        let page = book.list(&query).await.expect("list");
        assert!(page.recipients.len() <= 4);
        found.extend(page.recipients.into_iter().map(|entry| entry.address));
        let Some(next) = page.next else { break };
        assert!(book.delete(&bot, &next).await.expect("delete"));
        query.after = Some(next);
    }
    assert_eq!(found, expected);
    let left = book.list(&all(&bot, 9)).await.expect("list");
    assert_eq!((left.recipients.len(), left.next), (9, None), "a full last page has no next");
}

/// Whoever their admins are; not those whose names begin alike.
pub async fn groups_of_one_name_are_listed_and_no_others(book: &Arc<dyn Recipients>) {
    let bot = bot("book-names");
    let wanted = [group("Ops", "491700000200"), group("Ops", "491700000201"), group("Ops", "491700000202")];
    let others =
        [group("Op", "491700000200"), group("Ops ü", "491700000200"), group("Opsx", "1555123"), number("15551")];
    for (chat, address) in (1..).zip(wanted.iter().chain(&others)) {
        put(book, &entry(&bot, address.clone(), chat)).await;
    }
    let mut query = RecipientQuery { group_name: "Ops".parse().ok(), ..all(&bot, 2) };
    let first = book.list(&query).await.expect("list");
    query.after = first.next.clone();
    let second = book.list(&query).await.expect("list");
    let found = first.recipients.iter().chain(&second.recipients).map(|entry| entry.address.clone());
    assert_eq!(found.collect::<Vec<_>>(), wanted);
    assert_eq!(second.next, None);
}

fn waiting(bot: &BotName, chat: i64, creator: i64) -> PendingGroup {
    PendingGroup { bot: bot.clone(), chat_id: ChatId::Id(chat), name: "Waiting".parse().expect("a name"), creator }
}

/// And are found by who that is.
pub async fn groups_wait_for_their_creator(book: &Arc<dyn Recipients>) {
    let bot = bot("book-wait");
    let largest = (1 << 52) - 1;
    for group in [waiting(&bot, -1, largest), waiting(&bot, -2, largest), waiting(&bot, -3, 2)] {
        book.hold_group(&group).await.expect("hold_group");
    }
    let mut held = book.held_groups(&bot, largest).await.expect("held_groups");
    held.sort_by_key(|group| group.chat_id.to_string());
    assert_eq!(held, [waiting(&bot, -1, largest), waiting(&bot, -2, largest)]);
    book.hold_group(&waiting(&bot, -1, 3)).await.expect("hold_group");
    assert_eq!(book.held_groups(&bot, largest).await.expect("held_groups").len(), 1, "its chat waits for another now");
    book.release_group(&bot, &ChatId::Id(-2)).await.expect("release_group");
    book.release_group(&bot, &ChatId::Id(-2)).await.expect("releasing what does not wait is fine");
    assert_eq!(book.held_groups(&bot, largest).await.expect("held_groups"), []);
    assert_eq!(book.held_groups(&super::bot("book-wait-2"), 2).await.expect("held_groups"), []);
    assert_eq!(book.list(&all(&bot, 10)).await.expect("list").recipients, [], "who waits is not in the book");
}

/// Under their newest username.
pub async fn bots_are_introduced(book: &Arc<dyn Recipients>) {
    let bot = bot("book-name");
    assert_eq!(book.username(&bot).await.expect("username"), None);
    for username in ["first_bot", "second_bot"] {
        book.introduce(&bot, username).await.expect("introduce");
        assert_eq!(book.username(&bot).await.expect("username").as_deref(), Some(username));
    }
}

/// A block and a move at the same moment both take effect: whatever the block of the old chat misses has moved already.
pub async fn concurrent_changes_lose_nothing(book: &Arc<dyn Recipients>) {
    let bot = bot("book-race");
    let addresses: Vec<Address> = (10..40).map(|i| number(&format!("4917000003{i}"))).collect();
    let entries: Vec<Recipient> = addresses.iter().map(|address| entry(&bot, address.clone(), -7)).collect();
    book.put(&entries).await.expect("put");
    let (old, new) = (ChatId::Id(-7), ChatId::Id(-1_000_000_000_007));
    let block = async {
        book.set_state(&bot, &old, RecipientState::Blocked).await.expect("set_state");
        book.set_state(&bot, &new, RecipientState::Blocked).await.expect("set_state");
    };
    let (moves, ()) = futures_util::future::join(join_all((0..4).map(|_| book.rekey(&bot, &old, &new))), block).await;
    let moved: u64 = moves.into_iter().map(|moved| moved.expect("rekey")).sum();
    assert!(moved >= 30, "{moved}");
    for address in &addresses {
        let found = get(book, &bot, address).await.expect("still there");
        assert_eq!((found.chat_id, found.state), (new.clone(), RecipientState::Blocked));
    }
    assert_eq!(book.of_chat(&bot, &old).await.expect("of_chat"), []);
}
