-- Connection credentials: a name and a secret for programs that know nothing else, of one sign-in, for one account on one
-- target. Worth nothing once the sign-in is over.

CREATE TABLE credentials (
    name     TEXT NOT NULL PRIMARY KEY,
    verifier TEXT NOT NULL, -- of SCRAM-SHA-256: the secret itself is nowhere
    signin   TEXT NOT NULL REFERENCES signins (id),
    target   TEXT NOT NULL,
    account  TEXT NOT NULL,
    address  TEXT, -- where whoever asked for it was
    made_at  BIGINT NOT NULL
);
CREATE INDEX credentials_by_signin ON credentials (signin);
