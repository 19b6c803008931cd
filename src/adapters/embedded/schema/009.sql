-- Blobs are in a folder beside the file. These tables hold them only in a backup, and until a start has moved them. A version
-- before this would look for them here.
CREATE INDEX blobs_named ON blobs (number) WHERE sha256 IS NOT NULL;
