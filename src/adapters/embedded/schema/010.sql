-- What receivers are still to be told. The line of a notification is in the order of the numbers; only its first has a `due`.
CREATE TABLE callbacks (
    number       INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    notification BLOB NOT NULL,              -- its id
    host         TEXT NOT NULL,              -- with the port
    event        TEXT NOT NULL,              -- as JSON
    state        TEXT NOT NULL,
    tries        INTEGER NOT NULL DEFAULT 0,
    since        INTEGER NOT NULL,           -- first in its line since then
    due          INTEGER,                    -- when it is tried, or the claim of whoever tries it ends
    error        TEXT,
    given_up_at  INTEGER
) STRICT;
CREATE INDEX callbacks_due ON callbacks (host, due) WHERE due IS NOT NULL;
CREATE INDEX callbacks_line ON callbacks (notification, number) WHERE given_up_at IS NULL;
CREATE INDEX callbacks_state ON callbacks (state, id);
CREATE INDEX callbacks_given_up ON callbacks (given_up_at) WHERE given_up_at IS NOT NULL;

-- When the first callback of each host is due.
CREATE TABLE callback_hosts (
    host TEXT PRIMARY KEY,
    due  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX callback_hosts_due ON callback_hosts (due);

-- How many are not given up.
CREATE TABLE callback_count (
    waiting INTEGER NOT NULL
) STRICT;
INSERT INTO callback_count VALUES (0);
CREATE TRIGGER callbacks_made AFTER INSERT ON callbacks WHEN new.given_up_at IS NULL BEGIN
    UPDATE callback_count SET waiting = waiting + 1;
END;
CREATE TRIGGER callbacks_forgotten AFTER DELETE ON callbacks WHEN old.given_up_at IS NULL BEGIN
    UPDATE callback_count SET waiting = waiting - 1;
END;
CREATE TRIGGER callbacks_given_up AFTER UPDATE OF given_up_at ON callbacks
    WHEN old.given_up_at IS NULL AND new.given_up_at IS NOT NULL BEGIN
    UPDATE callback_count SET waiting = waiting - 1;
END;
