//! The embedded engine: one SQLite file holds queue, ledger and blobs.
