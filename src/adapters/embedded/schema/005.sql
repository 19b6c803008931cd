-- Groups that have become supergroups: where one is now, and which id it had.
ALTER TABLE chats ADD COLUMN migrated_to INTEGER;
ALTER TABLE chats ADD COLUMN migrated_from TEXT;
