//! A map that forgets its oldest entries, so that what a courier remembers stays bounded.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Holds at most `max` entries; one that is inserted again keeps its age.
#[derive(Debug)]
pub(super) struct BoundedMap<K, V> {
    entries: HashMap<K, V>,
    oldest_first: VecDeque<K>,
    max: usize,
}

impl<K: Clone + Eq + Hash, V> BoundedMap<K, V> {
    pub fn new(max: usize) -> Self {
        Self { entries: HashMap::new(), oldest_first: VecDeque::new(), max }
    }

    pub fn insert(&mut self, key: K, value: V) {
        if self.entries.insert(key.clone(), value).is_none() {
            self.oldest_first.push_back(key);
        }
        if self.oldest_first.len() > self.max
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.entries.remove(&oldest);
        }
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    pub fn contains(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }

    /// Takes time in proportion to the size of the map.
    pub fn remove(&mut self, key: &K) {
        if self.entries.remove(key).is_some() {
            self.oldest_first.retain(|other| other != key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_when_there_is_no_room() {
        let mut map = BoundedMap::new(2);
        for (key, value) in [(1, 'a'), (2, 'b'), (1, 'c'), (3, 'd')] {
            map.insert(key, value);
        }
        assert_eq!([1, 2, 3].map(|key| map.get(&key).copied()), [None, Some('b'), Some('d')]);
        map.remove(&2);
        map.insert(4, 'e');
        assert_eq!([2, 3, 4].map(|key| map.contains(&key)), [false, true, true]);
    }
}
