-- SSH keys that their holders bound to a sign-in: worth nothing once it is over. One key, one identity.

CREATE TABLE keys (
    fingerprint TEXT NOT NULL PRIMARY KEY,
    line        TEXT NOT NULL, -- algorithm and base64
    signin      TEXT NOT NULL REFERENCES signins (id),
    address     TEXT, -- where the client that proved it was
    made_at     BIGINT NOT NULL
);
CREATE INDEX keys_by_signin ON keys (signin);
