-- What operators have paused, until they let it go on. The chat is empty for a whole bot.
CREATE TABLE paused (
    bot  TEXT NOT NULL,
    chat TEXT NOT NULL,
    body TEXT NOT NULL,                       -- since when, by whom and why, as JSON
    PRIMARY KEY (bot, chat)
) STRICT, WITHOUT ROWID;
