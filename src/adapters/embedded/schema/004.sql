-- What is open long after it has expired is looked for.
CREATE INDEX records_open ON records (expires_at) WHERE finished_at IS NULL;
