-- Which notifications have ended, in order, while somebody listens.
CREATE TABLE events (
    number      INTEGER PRIMARY KEY,          -- milliseconds << 20 | which of them; always higher than the last
    id          BLOB NOT NULL,                -- of the notification
    accepted_at INTEGER NOT NULL,             -- the last time before this end
    status      TEXT NOT NULL                 -- how it ended
) STRICT;

-- One row.
CREATE TABLE event_log (
    whole_after INTEGER NOT NULL,             -- what ended after this number is there
    kept_until  INTEGER NOT NULL              -- nothing is written from then on
) STRICT;
INSERT INTO event_log VALUES (0, 0);
