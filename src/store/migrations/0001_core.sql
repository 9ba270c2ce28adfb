-- The audit chain, contracts as pinned, requests, votes, grants, sessions.
-- Portable between SQLite and Postgres: TEXT and BIGINT only. Instants are microseconds since 1970 (UTC),
-- durations are seconds, ids are texts with a prefix. A person is the key that linked identities share.

CREATE TABLE audit_heads (
    node TEXT NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL,
    hash TEXT NOT NULL
);

CREATE TABLE audit_lines (
    node TEXT NOT NULL REFERENCES audit_heads (node),
    seq  BIGINT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (node, seq)
);

CREATE TABLE contract_versions (
    hash     TEXT NOT NULL PRIMARY KEY,
    name     TEXT NOT NULL,
    body     TEXT NOT NULL,
    first_at BIGINT NOT NULL
);

CREATE TABLE requests (
    id            TEXT NOT NULL PRIMARY KEY,
    kind          TEXT NOT NULL CHECK (kind IN ('access', 'extension')),
    extends       TEXT, -- the grant, for an extension
    contract      TEXT NOT NULL,
    contract_hash TEXT NOT NULL REFERENCES contract_versions (hash),
    requester     TEXT NOT NULL, -- a person
    beneficiary   TEXT NOT NULL, -- a person
    identity      TEXT NOT NULL, -- the identity that asked
    address       TEXT, -- where it asked from
    target        TEXT NOT NULL,
    account       TEXT NOT NULL,
    duration      BIGINT NOT NULL,
    starts_at     BIGINT,
    reason        TEXT,
    ticket        TEXT,
    asked_at      BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'cancelled', 'expired')),
    version       BIGINT NOT NULL, -- goes up with each vote and with the decision
    decided_at    BIGINT,
    decided_by    TEXT,
    decided_note  TEXT,
    CHECK ((kind = 'extension') = (extends IS NOT NULL)),
    CHECK ((state = 'pending') = (decided_at IS NULL))
);
CREATE INDEX requests_by_beneficiary ON requests (beneficiary, asked_at);
CREATE INDEX requests_by_age ON requests (asked_at, id);
CREATE INDEX requests_pending ON requests (expires_at) WHERE state = 'pending';
CREATE UNIQUE INDEX requests_one_extension ON requests (extends) WHERE state = 'pending' AND extends IS NOT NULL;

CREATE TABLE votes (
    request  TEXT NOT NULL REFERENCES requests (id),
    person   TEXT NOT NULL,
    identity TEXT NOT NULL,
    verdict  TEXT NOT NULL CHECK (verdict IN ('approve', 'deny')),
    duration BIGINT, -- for an approval: for how long
    note     TEXT,
    at       BIGINT NOT NULL,
    PRIMARY KEY (request, person)
);

CREATE TABLE grants (
    id            TEXT NOT NULL PRIMARY KEY,
    request       TEXT NOT NULL UNIQUE REFERENCES requests (id),
    contract      TEXT NOT NULL,
    contract_hash TEXT NOT NULL REFERENCES contract_versions (hash),
    requester     TEXT NOT NULL,
    beneficiary   TEXT NOT NULL,
    target        TEXT NOT NULL,
    account       TEXT NOT NULL,
    terms         TEXT NOT NULL, -- JSON
    starts_at     BIGINT NOT NULL,
    ends_at       BIGINT NOT NULL,
    extensions    BIGINT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('scheduled', 'active', 'expired', 'revoked', 'returned')),
    sessions      BIGINT NOT NULL, -- started under it so far
    ended_at      BIGINT,
    ended_by      TEXT,
    end_note      TEXT,
    CHECK (starts_at < ends_at),
    CHECK ((state IN ('scheduled', 'active')) = (ended_at IS NULL))
);
CREATE INDEX grants_by_beneficiary ON grants (beneficiary, target, account);
CREATE INDEX grants_by_age ON grants (starts_at, id);
CREATE INDEX grants_scheduled ON grants (starts_at) WHERE state = 'scheduled';
CREATE INDEX grants_open ON grants (ends_at) WHERE state IN ('scheduled', 'active');

CREATE TABLE sessions (
    id             TEXT NOT NULL PRIMARY KEY,
    node           TEXT NOT NULL,
    grant_id       TEXT NOT NULL REFERENCES grants (id),
    request        TEXT NOT NULL REFERENCES requests (id),
    identity       TEXT NOT NULL,
    person         TEXT NOT NULL,
    signin         TEXT NOT NULL,
    contract       TEXT NOT NULL,
    target         TEXT NOT NULL,
    protocol       TEXT NOT NULL,
    account        TEXT NOT NULL,
    database_name  TEXT,
    client_address TEXT NOT NULL,
    program        TEXT,
    started_at     BIGINT NOT NULL,
    ended_at       BIGINT,
    end_reason     TEXT,
    end_detail     TEXT,
    cut            TEXT, -- JSON
    bytes_in       BIGINT NOT NULL,
    bytes_out      BIGINT NOT NULL,
    recording      TEXT, -- JSON, once sealed
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE INDEX sessions_live ON sessions (grant_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_grant ON sessions (grant_id, started_at);
CREATE INDEX sessions_by_person ON sessions (person, started_at);
CREATE INDEX sessions_by_age ON sessions (started_at, id);

-- What a creating call already made, so that a repeated one makes it only once.
CREATE TABLE idempotency_keys (
    person     TEXT NOT NULL,
    key        TEXT NOT NULL,
    body       TEXT NOT NULL, -- digest of what was asked
    made       TEXT NOT NULL, -- id of the request that it made
    created_at BIGINT NOT NULL,
    PRIMARY KEY (person, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
