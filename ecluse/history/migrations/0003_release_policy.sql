-- Gates that need several people, and what keeps an environment as it is.
ALTER TABLE gates ADD COLUMN needs INTEGER NOT NULL DEFAULT 1;
ALTER TABLE gates ADD COLUMN checklist TEXT NOT NULL DEFAULT '[]';
ALTER TABLE gates ADD COLUMN targets TEXT NOT NULL DEFAULT '{}';
ALTER TABLE gates ADD COLUMN votes TEXT NOT NULL DEFAULT '[]';

CREATE TABLE holds (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    environment TEXT NOT NULL,
    holder TEXT NOT NULL,
    why TEXT NOT NULL,
    state TEXT NOT NULL,
    until TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    lifted_by TEXT NOT NULL,
    lifted_why TEXT NOT NULL
);
CREATE INDEX holds_state ON holds (state, created_at);
