//! The contract of [`Quotas`].

use futures_util::future::join_all;
use pixcourier::domain::{ClientName, Timestamp};
use pixcourier::ports::{Day, Quotas, Taken};
use std::sync::Arc;
use std::time::Duration;

/// Runs every check.
pub async fn suite(quotas: Arc<dyn Quotas>) {
    a_limit_is_reached_and_not_passed(&*quotas).await;
    what_is_given_back_can_be_taken_again(&*quotas).await;
    clients_and_days_are_counted_apart(&*quotas).await;
    nothing_is_lost_or_passed_when_many_take_at_once(&*quotas).await;
}

/// A client's name.
pub fn client(name: &str) -> ClientName {
    name.parse().expect("a valid client name")
}

fn today() -> Day {
    Day::of(Timestamp::now())
}

async fn a_limit_is_reached_and_not_passed(quotas: &dyn Quotas) {
    let (client, day) = (client("limit"), today());
    assert_eq!(quotas.take(&client, day, 2, 3).await.unwrap(), Taken { counted: true, used: 2 });
    assert_eq!(quotas.take(&client, day, 2, 3).await.unwrap(), Taken { counted: false, used: 2 });
    assert_eq!(quotas.take(&client, day, 1, 3).await.unwrap(), Taken { counted: true, used: 3 });
    assert_eq!(quotas.take(&client, day, 1, 3).await.unwrap(), Taken { counted: false, used: 3 });
    assert_eq!(quotas.take(&client, day, 1, 10).await.unwrap(), Taken { counted: true, used: 4 }, "a raised limit");
}

async fn what_is_given_back_can_be_taken_again(quotas: &dyn Quotas) {
    let (client, day) = (client("back"), today());
    quotas.give_back(&client, day, 5).await.unwrap();
    assert_eq!(quotas.take(&client, day, 2, 2).await.unwrap(), Taken { counted: true, used: 2 });
    quotas.give_back(&client, day, 1).await.unwrap();
    assert_eq!(quotas.take(&client, day, 1, 2).await.unwrap(), Taken { counted: true, used: 2 });
    quotas.give_back(&client, day, 9).await.unwrap();
    assert_eq!(quotas.take(&client, day, 1, 2).await.unwrap(), Taken { counted: true, used: 1 }, "never below nothing");
}

async fn clients_and_days_are_counted_apart(quotas: &dyn Quotas) {
    let (day, next) = (today(), Day::of(Timestamp::now().plus(Duration::from_secs(24 * 3600))));
    assert!(day < next);
    for (name, day) in [("one", day), ("two", day), ("one", next)] {
        assert_eq!(quotas.take(&client(name), day, 1, 1).await.unwrap(), Taken { counted: true, used: 1 }, "{name}");
        assert!(!quotas.take(&client(name), day, 1, 1).await.unwrap().counted, "{name}");
    }
}

async fn nothing_is_lost_or_passed_when_many_take_at_once(quotas: &dyn Quotas) {
    let (client, day) = (client("many"), today());
    let taken = join_all((0..50).map(|_| quotas.take(&client, day, 1, 20))).await;
    assert_eq!(taken.into_iter().filter(|taken| taken.as_ref().is_ok_and(|taken| taken.counted)).count(), 20);
}
