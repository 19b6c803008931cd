-- What an album takes of its chat's rate in advance: by the attempt that did so last. It is given back if nothing has left.
CREATE TABLE pauses (
    bot      TEXT NOT NULL,
    chat     TEXT NOT NULL,
    until    INTEGER NOT NULL,
    before   INTEGER NOT NULL,                -- the end of the pause before it, 0 for none
    id       BLOB NOT NULL,
    begun_at INTEGER NOT NULL,
    PRIMARY KEY (bot, chat)
) STRICT, WITHOUT ROWID;
CREATE INDEX pauses_until ON pauses (until);

-- The sweep looks for the oldest.
CREATE INDEX file_ids_kept ON file_ids (kept_at);
