-- How many notifications clients have posted, by day since the Unix epoch (UTC).
CREATE TABLE quotas (
    client TEXT NOT NULL,
    day INTEGER NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (client, day)
) STRICT, WITHOUT ROWID;
