//! Nothing that one caller sends may hurt another. Each test is an attack by one caller, while another one posts small photos:
//! they must be taken within [`ANSWER_TIME`] and delivered, and the process must stay within [`MEMORY_KB`]. Every test prints
//! one row of the table in docs/guarantees.md.
//!
//! `make attacks` runs them in the release profile, `PIXCOURIER_TEST_PROGRAM=PATH make attacks` measures another build and
//! judges nothing, for the column "before". An attack is a function of a [`Target`]; a new one is a function and a test:
//!
//! ```ignore
//! #[tokio::test(flavor = "multi_thread")]
//! async fn tiff_of_tiny_tiles() {
//!     Siege::of("TIFF of 1 x 1 tiles").on(Engine::Embedded).by(async |target: &Target| { ... }).await;
//! }
//! ```

mod bystander;
mod connections;
mod memory;
mod siege;
mod target;

pub use siege::Siege;
pub use target::Target;

use std::time::Duration;

/// Within this another caller's small photo is accepted, whatever happens.
const ANSWER_TIME: Duration = Duration::from_millis(500);
/// What the process may have resident at any moment, in kB.
const MEMORY_KB: u64 = 150 * 1000;
