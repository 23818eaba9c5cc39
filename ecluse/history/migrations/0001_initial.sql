-- Portable SQL: TEXT, INTEGER and REAL columns, no triggers, no engine functions. Full text is in search.py.
CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    actor TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX events_subject ON events (subject, number);
CREATE INDEX events_kind ON events (kind, number);

CREATE TABLE changes (
    key TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    state TEXT NOT NULL,
    title TEXT NOT NULL,
    agent TEXT NOT NULL,
    target TEXT NOT NULL,
    digest TEXT NOT NULL,
    source TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    verdict TEXT,
    reason TEXT NOT NULL,
    findings TEXT NOT NULL,
    base TEXT NOT NULL,
    head TEXT NOT NULL,
    tree TEXT NOT NULL,
    ref TEXT NOT NULL,
    method TEXT NOT NULL,
    commits TEXT NOT NULL,
    files TEXT NOT NULL,
    not_carried TEXT NOT NULL,
    validations TEXT NOT NULL,
    note TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    trusted_by TEXT NOT NULL,
    wants_landing INTEGER NOT NULL,
    UNIQUE (id, revision)
);
CREATE INDEX changes_state ON changes (state, created_at);
CREATE INDEX changes_digest ON changes (digest);
CREATE INDEX changes_created ON changes (created_at);

CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    parent TEXT NOT NULL,
    state TEXT NOT NULL,
    "commit" TEXT NOT NULL,
    tree TEXT NOT NULL,
    event TEXT NOT NULL,
    workflows TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    reason TEXT NOT NULL,
    duration_ms REAL NOT NULL,
    report TEXT NOT NULL
);
CREATE INDEX runs_parent ON runs (parent);
CREATE INDEX runs_state ON runs (state);
CREATE INDEX runs_created ON runs (created_at);

CREATE TABLE landings (
    id TEXT PRIMARY KEY,
    change TEXT NOT NULL,
    state TEXT NOT NULL,
    target TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    base TEXT NOT NULL,
    heads TEXT NOT NULL,
    candidate TEXT NOT NULL,
    tree TEXT NOT NULL,
    run TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    basis TEXT NOT NULL,
    environment TEXT NOT NULL,
    blocked_paths TEXT NOT NULL,
    reason TEXT NOT NULL,
    agent TEXT NOT NULL,
    parent TEXT NOT NULL
);
CREATE INDEX landings_state ON landings (state, id);
CREATE INDEX landings_change ON landings (change);
CREATE INDEX landings_created ON landings (created_at);

CREATE TABLE releases (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    playbook TEXT NOT NULL,
    digest TEXT NOT NULL,
    source TEXT NOT NULL,
    "commit" TEXT NOT NULL,
    environment TEXT NOT NULL,
    starter TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    position INTEGER NOT NULL,
    version TEXT NOT NULL,
    previous TEXT NOT NULL,
    inputs TEXT NOT NULL,
    outputs TEXT NOT NULL,
    reason TEXT NOT NULL,
    played INTEGER NOT NULL
);
CREATE INDEX releases_state ON releases (state, id);

CREATE TABLE gates (
    id TEXT PRIMARY KEY,
    release TEXT NOT NULL,
    step INTEGER NOT NULL,
    name TEXT NOT NULL,
    question TEXT NOT NULL,
    answers TEXT NOT NULL,
    state TEXT NOT NULL,
    binding TEXT NOT NULL,
    nonce TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    silence TEXT NOT NULL,
    answer TEXT NOT NULL,
    answered_by TEXT NOT NULL,
    how TEXT NOT NULL,
    why TEXT NOT NULL,
    signature TEXT NOT NULL
);
CREATE INDEX gates_release ON gates (release, step);

CREATE TABLE deployments (
    id TEXT PRIMARY KEY,
    release TEXT NOT NULL,
    environment TEXT NOT NULL,
    version TEXT NOT NULL,
    "commit" TEXT NOT NULL,
    state TEXT NOT NULL,
    location TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    previous TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX deployments_environment ON deployments (environment, created_at);
CREATE INDEX deployments_release ON deployments (release);

-- Effects outside the database: begun before, done after. A row left at begun is probed, never repeated blindly.
CREATE TABLE effects (
    subject TEXT NOT NULL,
    step TEXT NOT NULL,
    state TEXT NOT NULL,
    begun_at TEXT NOT NULL,
    done_at TEXT NOT NULL,
    plan TEXT NOT NULL,
    result TEXT NOT NULL,
    PRIMARY KEY (subject, step)
);

-- Who is to be advanced, and when: a due time in the past is a wake, in the future a timer.
CREATE TABLE wakes (
    subject TEXT PRIMARY KEY,
    due TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX wakes_due ON wakes (due);
