-- What is in the queue is counted in memory (`row_counts`): with a trigger on the table each statement on it cost a journal.
DROP TRIGGER queue_inserted;
DROP TRIGGER queue_deleted;
DROP TRIGGER queue_moved;
DROP TABLE lane_counts;
