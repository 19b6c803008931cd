-- What is still to be sent is counted by its lane, too. What is final counts nowhere, so what has ended before this stays at the default, and
-- is not read.
ALTER TABLE records ADD COLUMN lane INTEGER NOT NULL DEFAULT 1; -- 0 urgent, 1 normal, 2 bulk
UPDATE records INDEXED BY records_open SET lane = CASE accepted.lane WHEN 'urgent' THEN 0 ELSE 2 END
    FROM (SELECT number, CASE WHEN json_valid(body) THEN body ->> '$.lane' END AS lane FROM bodies) AS accepted
    WHERE records.finished_at IS NULL AND accepted.number = records.number AND accepted.lane IN ('urgent', 'bulk');
DROP INDEX records_status;
CREATE INDEX records_status ON records (status, id, bot, lane);
