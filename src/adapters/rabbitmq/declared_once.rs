//! What a session has declared: each thing once, however many ask for it at the same time, and none waits for another.

use crate::domain::BotName;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OnceCell;

/// What is declared together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Declarable {
    /// What all bots share.
    Shared,
    /// The queues of a bot.
    Bot(BotName),
    /// The delay queue of so many seconds.
    DelayQueue(u64),
    /// The detour of the node.
    Detour,
}

/// By what is declared.
pub(super) struct DeclaredOnce<K>(Mutex<HashMap<K, Arc<OnceCell<()>>>>);

impl<K> Default for DeclaredOnce<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// What was known of a thing at a moment, for [`DeclaredOnce::declare_again`].
pub(super) struct DeclarationState {
    cell: Arc<OnceCell<()>>,
    was_declared: bool,
}

impl<K: Clone + Eq + Hash> DeclaredOnce<K> {
    /// What is known now.
    pub(super) fn state(&self, key: &K) -> DeclarationState {
        let cell = self.cells().entry(key.clone()).or_default().clone();
        DeclarationState { was_declared: cell.initialized(), cell }
    }

    /// Declares it unless that was done before; who comes meanwhile waits for that. If it fails, the next one tries.
    pub(super) async fn declare<E, F: Future<Output = Result<(), E>>>(
        &self,
        key: &K,
        declare: impl FnOnce() -> F,
    ) -> Result<DeclarationState, E> {
        let state = self.state(key);
        state.cell.get_or_try_init(declare).await?;
        Ok(DeclarationState { was_declared: true, ..state })
    }

    /// Declares it anew, because it turned out to be missing after that state was taken; unless somebody has done so since.
    pub(super) async fn declare_again<E>(
        &self,
        key: &K,
        seen: DeclarationState,
        declare: impl Future<Output = Result<(), E>>,
    ) -> Result<(), E> {
        if seen.was_declared {
            let mut cells = self.cells();
            if cells.get(key).is_some_and(|cell| Arc::ptr_eq(cell, &seen.cell)) {
                cells.insert(key.clone(), Arc::default());
            }
        }
        self.declare(key, || declare).await.map(|_| ())
    }

    fn cells(&self) -> MutexGuard<'_, HashMap<K, Arc<OnceCell<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn what_many_find_missing_at_once_is_declared_once_and_again_when_it_is_missing_again() {
        let (once, declared) = (DeclaredOnce::default(), AtomicU32::new(0));
        let declare = async || {
            declared.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok::<(), Infallible>(())
        };
        let unknown: Vec<_> = (0..8).map(|_| once.state(&"a")).collect();
        futures_util::future::join_all(unknown.into_iter().map(|seen| once.declare_again(&"a", seen, declare()))).await;
        assert_eq!(declared.load(Ordering::Relaxed), 1);
        let known: Vec<_> = (0..8).map(|_| once.state(&"a")).collect();
        futures_util::future::join_all(known.into_iter().map(|seen| once.declare_again(&"a", seen, declare()))).await;
        assert_eq!(declared.load(Ordering::Relaxed), 2);
        once.declare(&"a", declare).await.unwrap();
        assert_eq!(declared.load(Ordering::Relaxed), 2, "it is known");
    }

    #[tokio::test]
    async fn one_that_is_not_answered_holds_back_no_other() {
        let once = DeclaredOnce::default();
        let stuck = once.declare(&"mute", std::future::pending::<Result<(), Infallible>>);
        tokio::select! {
            biased;
            _ = stuck => unreachable!(),
            other = once.declare(&"well", || std::future::ready(Ok::<(), Infallible>(()))) => other.map(|_| ()).unwrap(),
        }
    }
}
