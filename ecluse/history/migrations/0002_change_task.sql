-- What a change is an attempt at, and what is known of who made it.
ALTER TABLE changes ADD COLUMN task TEXT NOT NULL DEFAULT '';
ALTER TABLE changes ADD COLUMN about TEXT NOT NULL DEFAULT '{}';
CREATE INDEX changes_task ON changes (task, created_at);
