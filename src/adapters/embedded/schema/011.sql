-- What is done to many notifications, and how far it is.
CREATE TABLE operations (
    id          BLOB NOT NULL PRIMARY KEY,
    body        TEXT NOT NULL,                -- the operation as JSON; the columns beside it follow it
    finished_at INTEGER,
    holder      TEXT,                         -- who works on it,
    held_until  INTEGER NOT NULL DEFAULT 0,   -- and until when nobody else may
    key         TEXT,                         -- the idempotency key that it was made with
    fingerprint TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX operations_key ON operations (key) WHERE key IS NOT NULL;
CREATE INDEX operations_open ON operations (id) WHERE finished_at IS NULL;
CREATE INDEX operations_finished ON operations (finished_at) WHERE finished_at IS NOT NULL;
