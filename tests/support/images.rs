//! PNGs that decode, of any size: those of the benchmark.

pub use pixcourier::bench::png::{chunk, head, png};
