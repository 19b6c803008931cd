//! The `pixcourier` program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    pixcourier::cli::run()
}
