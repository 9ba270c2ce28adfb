-- Tokens that Postgres clients sign in with, and the device authorizations that give them: their programs can't ask for
-- digits, so where the browser was counts instead.

CREATE TABLE tokens_of_all_kinds (
    hash      TEXT NOT NULL PRIMARY KEY,
    kind      TEXT NOT NULL CHECK (kind IN ('browser', 'api', 'postgres')),
    signin    TEXT NOT NULL REFERENCES signins (id),
    made_at   BIGINT NOT NULL,
    elsewhere TEXT -- the browser's address, where it consented at another one than the client's
);
INSERT INTO tokens_of_all_kinds (hash, kind, signin, made_at) SELECT hash, kind, signin, made_at FROM tokens;
DROP TABLE tokens;
ALTER TABLE tokens_of_all_kinds RENAME TO tokens;
CREATE INDEX tokens_by_signin ON tokens (signin);

ALTER TABLE devices ADD COLUMN client TEXT; -- what a Postgres client calls itself; none for curfew itself
ALTER TABLE devices ADD COLUMN elsewhere TEXT; -- as of the token
