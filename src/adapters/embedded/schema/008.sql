-- The body of a notification stands once, and is not written again with each status of its record.

CREATE TABLE bodies (
    number INTEGER PRIMARY KEY,               -- that of the record
    body   TEXT NOT NULL                      -- the notification as JSON
) STRICT;
INSERT INTO bodies SELECT number, body -> '$.notification' FROM records
    WHERE CASE WHEN json_valid(body) THEN body -> '$.notification' IS NOT NULL ELSE false END;
-- What is left in the record is what changes, and what couriers ask of the notification.
UPDATE records SET body = json_set(json_remove(body, '$.notification'),
        '$.accepted_at', body ->> '$.notification.accepted_at', '$.chat_id', body -> '$.notification.chat_id',
        '$.follows', body ->> '$.notification.follows')
    WHERE number IN (SELECT number FROM bodies);
CREATE TRIGGER records_deleted AFTER DELETE ON records BEGIN
    DELETE FROM bodies WHERE number = old.number;
END;

-- From now on the body of a queue row is empty unless its courier has put it back, or there is no record: it is that of the
-- record then.
ALTER TABLE queue ADD COLUMN size INTEGER NOT NULL DEFAULT 0; -- of the body that stands elsewhere, in bytes
