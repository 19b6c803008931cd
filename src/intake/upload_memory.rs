//! Memory for small uploads, which are hashed, checked and stored without a file.

use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The largest upload that stays in memory, in bytes.
pub const MAX_IN_MEMORY_BYTES: usize = 256 * 1024;
/// What the uploads of a process may take of memory together, in bytes.
const BUDGET_BYTES: usize = 16 << 20;
/// The least that a buffer grows to, in bytes.
const MIN_CAPACITY_BYTES: usize = 4 * 1024;

/// The memory that is left for uploads in one process.
#[derive(Debug)]
pub struct UploadMemory {
    free: AtomicUsize,
}

/// The bytes of an upload, as far as they are in memory. What it takes is given back when it is dropped.
#[derive(Debug)]
pub struct UploadBuffer {
    bytes: Vec<u8>,
    /// What it has taken of the memory: the capacity, which is more than the bytes that have arrived.
    taken: usize,
    memory: Arc<UploadMemory>,
}

impl UploadMemory {
    /// All of it.
    pub fn new() -> Arc<Self> {
        Self::of(BUDGET_BYTES)
    }

    fn of(bytes: usize) -> Arc<Self> {
        Arc::new(Self { free: AtomicUsize::new(bytes) })
    }

    /// A buffer that takes nothing yet.
    pub fn buffer(self: &Arc<Self>) -> UploadBuffer {
        UploadBuffer { bytes: Vec::new(), taken: 0, memory: self.clone() }
    }

    fn take(&self, bytes: usize) -> bool {
        self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(bytes)).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.free.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many bytes are left.
    #[cfg(test)]
    pub fn free(&self) -> usize {
        self.free.load(Ordering::Relaxed)
    }
}

impl UploadBuffer {
    /// Appends bytes; if they do not fit returns `false`, and all stays as it is.
    #[must_use]
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        let length = self.bytes.len() + bytes.len();
        if length > MAX_IN_MEMORY_BYTES {
            return false;
        }
        if length > self.taken {
            let capacity = length.max(2 * self.taken).clamp(MIN_CAPACITY_BYTES, MAX_IN_MEMORY_BYTES);
            if !self.memory.take(capacity - self.taken) {
                return false;
            }
            self.taken = capacity;
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
        true
    }

    /// What has arrived.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole upload. Its memory is given back with its last clone.
    pub fn finish(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for UploadBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for UploadBuffer {
    fn drop(&mut self) {
        drop(std::mem::take(&mut self.bytes));
        self.memory.give_back(self.taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_take_no_more_than_there_is_and_give_it_back() {
        let memory = UploadMemory::of(100_000);
        let mut random = fastrand::Rng::with_seed(7);
        let mut buffers: Vec<(UploadBuffer, Vec<u8>)> = Vec::new();
        let mut refused = 0;
        for _ in 0..20_000 {
            match random.u8(..8) {
                0 => buffers.push((memory.buffer(), Vec::new())),
                1 if !buffers.is_empty() => drop(buffers.swap_remove(random.usize(..buffers.len()))),
                _ if !buffers.is_empty() => {
                    let at = random.usize(..buffers.len());
                    let (buffer, pushed) = &mut buffers[at];
                    let piece = vec![random.u8(..); random.usize(..9_000)];
                    if buffer.push(&piece) {
                        pushed.extend_from_slice(&piece);
                    } else {
                        refused += 1;
                    }
                    assert_eq!(buffer.bytes(), pushed);
                }
                _ => {}
            }
            let held: usize = buffers.iter().map(|(buffer, _)| buffer.bytes.capacity()).sum();
            assert!(held <= 100_000 - memory.free(), "{held} bytes are held, {} are free", memory.free());
        }
        assert!(refused > 100, "the budget was never used up");
        drop(buffers);
        assert_eq!(memory.free(), 100_000);
    }

    #[test]
    fn what_is_finished_is_held_until_its_last_clone_is_gone() {
        let memory = UploadMemory::of(10_000);
        let mut buffer = memory.buffer();
        assert!(buffer.push(b"some") && buffer.push(b"thing"));
        let bytes = buffer.finish();
        let clone = bytes.slice(4..);
        drop(bytes);
        assert_eq!((&clone[..], memory.free()), (&b"thing"[..], 10_000 - MIN_CAPACITY_BYTES));
        drop(clone);
        assert_eq!(memory.free(), 10_000);
    }

    #[test]
    fn a_buffer_holds_256_kib_to_the_byte() {
        let memory = UploadMemory::new();
        let mut buffer = memory.buffer();
        for _ in 0..MAX_IN_MEMORY_BYTES / 1024 {
            assert!(buffer.push(&[1; 1024]));
        }
        assert!(!buffer.push(b"x") && buffer.bytes().len() == MAX_IN_MEMORY_BYTES);
        assert_eq!(memory.free(), BUDGET_BYTES - MAX_IN_MEMORY_BYTES);
    }
}
