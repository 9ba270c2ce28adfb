-- Identities, their sign-ins and tokens, and what is on its way to becoming one.
-- Of a secret (token, code, state) only its SHA-256 is kept, in hexadecimal.

CREATE TABLE identities (
    id           TEXT NOT NULL PRIMARY KEY,
    provider     TEXT NOT NULL, -- the name of its entry, at the last sign-in
    issuer       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    person       TEXT NOT NULL, -- the verified email in lower case: linked identities share it
    email        TEXT NOT NULL,
    name         TEXT NOT NULL,
    group_names  TEXT NOT NULL, -- JSON
    kind         TEXT NOT NULL CHECK (kind IN ('user', 'service')),
    first_at     BIGINT NOT NULL,
    seen_at      BIGINT NOT NULL,
    disabled_at  BIGINT,
    disabled_why TEXT,
    UNIQUE (issuer, subject)
);
CREATE INDEX identities_by_person ON identities (person);

CREATE TABLE signins (
    id         TEXT NOT NULL PRIMARY KEY,
    identity   TEXT NOT NULL REFERENCES identities (id),
    provider   TEXT NOT NULL,
    method     TEXT NOT NULL CHECK (method IN ('browser', 'link', 'loopback', 'device')),
    parent     TEXT REFERENCES signins (id), -- the browser's sign-in that consented to it
    address    TEXT, -- of the client that it is for
    started_at BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL,
    ended_at   BIGINT,
    end_why    TEXT CHECK (end_why IN ('logout', 'expired', 'revoked', 'identity_disabled')),
    CHECK ((ended_at IS NULL) = (end_why IS NULL))
);
CREATE INDEX signins_by_identity ON signins (identity, started_at);
CREATE INDEX signins_by_age ON signins (started_at, id);
CREATE INDEX signins_by_parent ON signins (parent) WHERE ended_at IS NULL;
CREATE INDEX signins_open ON signins (ends_at) WHERE ended_at IS NULL;

CREATE TABLE tokens (
    hash    TEXT NOT NULL PRIMARY KEY,
    kind    TEXT NOT NULL CHECK (kind IN ('browser', 'api')),
    signin  TEXT NOT NULL REFERENCES signins (id),
    made_at BIGINT NOT NULL
);
CREATE INDEX tokens_by_signin ON tokens (signin);

CREATE TABLE certificates (
    serial  TEXT NOT NULL PRIMARY KEY,
    signin  TEXT NOT NULL REFERENCES signins (id),
    made_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL
);
CREATE INDEX certificates_by_signin ON certificates (signin);
CREATE INDEX certificates_by_end ON certificates (ends_at);

-- A browser that is away at its provider.
CREATE TABLE logins (
    state    TEXT NOT NULL PRIMARY KEY, -- hashed
    browser  TEXT NOT NULL, -- the browser's cookie, hashed
    provider TEXT NOT NULL,
    nonce    TEXT NOT NULL,
    verifier TEXT NOT NULL, -- PKCE: worth nothing without the provider's code
    next     TEXT NOT NULL,
    ends_at  BIGINT NOT NULL
);
CREATE INDEX logins_by_end ON logins (ends_at);

-- Authorization codes of our own (RFC 6749). A used one is kept until it ends, to notice a second use.
CREATE TABLE codes (
    code         TEXT NOT NULL PRIMARY KEY, -- hashed
    parent       TEXT NOT NULL REFERENCES signins (id),
    redirect_uri TEXT NOT NULL,
    challenge    TEXT NOT NULL,
    ends_at      BIGINT NOT NULL,
    signin       TEXT REFERENCES signins (id) -- what it was used for
);
CREATE INDEX codes_by_end ON codes (ends_at);

-- Device authorizations (RFC 8628).
CREATE TABLE devices (
    device    TEXT NOT NULL PRIMARY KEY, -- the device code, hashed
    user_code TEXT NOT NULL UNIQUE,
    address   TEXT NOT NULL,
    state     TEXT NOT NULL CHECK (state IN ('asked', 'agreed', 'denied', 'done')),
    parent    TEXT REFERENCES signins (id),
    digits    TEXT, -- shown to the person who agreed, to be typed into the device
    tries     BIGINT NOT NULL,
    polled_at BIGINT NOT NULL,
    ends_at   BIGINT NOT NULL,
    CHECK ((state IN ('agreed', 'done')) = (parent IS NOT NULL AND digits IS NOT NULL))
);
CREATE INDEX devices_by_end ON devices (ends_at);
CREATE INDEX devices_by_address ON devices (address);
