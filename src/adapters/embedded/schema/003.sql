-- What must hold before an attempt may begin, and how much is waiting.

-- The chat in whose order it stands; NULL for one that stands in none: a scheduled one, a retry, a cancelled one, an
-- unreadable one.
ALTER TABLE queue ADD COLUMN chat TEXT;
UPDATE queue SET chat = CAST(body ->> '$.chat_id' AS TEXT)
    WHERE state <> 3 AND CASE WHEN json_valid(body)
        THEN body ->> '$.send_at' IS NULL AND body ->> '$.first_accepted_at' IS NULL ELSE false END;
CREATE INDEX queue_chat ON queue (bot, chat, lane, id) WHERE chat IS NOT NULL;

CREATE TABLE chats (
    bot          TEXT NOT NULL,
    chat         TEXT NOT NULL,
    frozen_until INTEGER NOT NULL,            -- the end of the longest flood wait it was told, 0 for none
    sends        TEXT NOT NULL,               -- the messages that count in its window, as JSON
    until        INTEGER NOT NULL,            -- from then on the row says nothing any more
    PRIMARY KEY (bot, chat)
) STRICT, WITHOUT ROWID;
CREATE INDEX chats_until ON chats (until);

-- How many rows of the queue there are in each state: no claim and no question for the depth counts them one by one.
CREATE TABLE lane_counts (
    bot   TEXT NOT NULL,
    lane  INTEGER NOT NULL,
    state INTEGER NOT NULL,
    rows  INTEGER NOT NULL,
    PRIMARY KEY (bot, lane, state)
) STRICT, WITHOUT ROWID;
INSERT INTO lane_counts SELECT bot, lane, state, count(*) FROM queue GROUP BY bot, lane, state;

CREATE TRIGGER queue_inserted AFTER INSERT ON queue BEGIN
    INSERT INTO lane_counts VALUES (new.bot, new.lane, new.state, 1)
        ON CONFLICT (bot, lane, state) DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER queue_deleted AFTER DELETE ON queue BEGIN
    UPDATE lane_counts SET rows = rows - 1 WHERE bot = old.bot AND lane = old.lane AND state = old.state;
END;
CREATE TRIGGER queue_moved AFTER UPDATE OF lane, state ON queue
    WHEN old.state <> new.state OR old.lane <> new.lane BEGIN
    UPDATE lane_counts SET rows = rows - 1 WHERE bot = old.bot AND lane = old.lane AND state = old.state;
    INSERT INTO lane_counts VALUES (new.bot, new.lane, new.state, 1)
        ON CONFLICT (bot, lane, state) DO UPDATE SET rows = rows + 1;
END;
