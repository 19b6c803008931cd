-- The recipient book. A body is the entry as JSON; the columns beside it follow it.

CREATE TABLE recipients (
    bot     TEXT NOT NULL,
    key     TEXT NOT NULL,                    -- of the address; the book is listed in its order
    chat_id TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (bot, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX recipients_chat ON recipients (bot, chat_id);

CREATE TABLE held_groups (                    -- they wait for the number of who created them
    bot     TEXT NOT NULL,
    chat_id TEXT NOT NULL,
    creator INTEGER NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (bot, chat_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX held_groups_creator ON held_groups (bot, creator);

CREATE TABLE usernames (
    bot      TEXT NOT NULL PRIMARY KEY,
    username TEXT NOT NULL
) STRICT, WITHOUT ROWID;
