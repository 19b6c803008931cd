-- Times are milliseconds since the Unix epoch; ids are the 16 bytes of the UUID, which sort as the ids do.

CREATE TABLE queue (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: receipts are made of it
    id     BLOB NOT NULL,
    bot    TEXT NOT NULL,
    lane   INTEGER NOT NULL,
    state  INTEGER NOT NULL,                  -- 0 ready, 1 waits until due, 2 out, 3 unreadable
    due    INTEGER NOT NULL,                  -- 0 unless it waits
    turns  INTEGER NOT NULL DEFAULT 0,        -- how often it was handed out in all
    handed INTEGER NOT NULL DEFAULT 0,        -- how often since it was put here or deferred
    body   TEXT NOT NULL                      -- the notification as JSON
) STRICT;
CREATE INDEX queue_order ON queue (bot, state, due, lane, seq);
CREATE INDEX queue_id ON queue (id);

CREATE TABLE records (
    number      INTEGER PRIMARY KEY,
    id          BLOB NOT NULL UNIQUE,
    bot         TEXT NOT NULL,
    status      TEXT NOT NULL,
    finished_at INTEGER,                      -- when it became final
    body        TEXT NOT NULL,                -- the record as JSON; the columns above follow it
    expires_at  INTEGER NOT NULL,             -- the latest of all its acceptances: a copy of each may be on its way
    cut_offs    INTEGER NOT NULL DEFAULT 0,   -- attempts without an end since it was last accepted
    done_at     INTEGER AS (max(finished_at, expires_at)) -- when it may be forgotten
) STRICT;
CREATE INDEX records_status ON records (status, id, bot);
CREATE INDEX records_bot ON records (bot, id);
CREATE INDEX records_done ON records (done_at) WHERE done_at IS NOT NULL;

CREATE TABLE keys (
    key         TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    id          TEXT NOT NULL,
    status      TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    until       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_until ON keys (until);

CREATE TABLE file_ids (
    bot_id  INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    sha256  BLOB NOT NULL,
    file_id TEXT NOT NULL,
    kept_at INTEGER NOT NULL,
    PRIMARY KEY (bot_id, kind, sha256)
) STRICT, WITHOUT ROWID;

CREATE TABLE pins (
    sha256 BLOB NOT NULL PRIMARY KEY,
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pins_until ON pins (until);

CREATE TABLE blobs (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256  BLOB UNIQUE,                      -- NULL while it is being written or taken away
    size    INTEGER NOT NULL,
    used_at INTEGER NOT NULL
) STRICT;

CREATE TABLE pieces (
    place INTEGER PRIMARY KEY,                -- number << 20 | index
    bytes BLOB NOT NULL
) STRICT;
