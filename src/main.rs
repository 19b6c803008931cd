//! The `pixcourier` program; everything but the settings of its allocator is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    set_up_allocator();
    pixcourier::cli::run()
}

/// Has the allocator of glibc take blocks of 128 KiB and more from the system, and give them back when they are freed. It begins so,
/// but raises that threshold with what is freed, up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD), and then keeps what large
/// bodies leave in the arena of each thread. Of smaller blocks an arena keeps up to 1 MiB for the next: with the 128 KiB that it
/// begins with, a fourth of the processor under load went into giving memory back and having it cleared anew.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the allocator has no safe interface")]
fn set_up_allocator() {
    const THRESHOLD_BYTES: libc::c_int = 128 * 1024;
    const KEPT_BYTES: libc::c_int = 1024 * 1024;
    // SAFETY: they take two numbers, and no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, THRESHOLD_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
    }
}

#[cfg(not(target_env = "gnu"))]
fn set_up_allocator() {}
