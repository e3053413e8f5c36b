-- identity ---------------------------------------------------------------------------------------

ALTER TABLE users
    ADD COLUMN language text NOT NULL DEFAULT 'en',
    -- Who opened a link that was mailed there, or whom a provider or the operator vouched for.
    ADD COLUMN email_verified_at timestamptz,
    -- Argon2id with its parameters and salt; none for who signs in elsewhere.
    ADD COLUMN password_hash text,
    ADD COLUMN password_changed_at timestamptz;

-- A family of refresh tokens: one sign-in. Each refresh makes the next generation; of all of them only the newest opens.
CREATE TABLE token_families (
    family_id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    generation integer NOT NULL DEFAULT 1 CHECK (generation > 0),
    token_hash bytea NOT NULL,
    has_second_factor boolean NOT NULL,
    -- What the client calls itself, for people to tell their sign-ins apart.
    client text NOT NULL DEFAULT '',
    -- From where it began, as a keyed hash: who comes from there again does not wait for the failures of strangers.
    network_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    refreshed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX token_families_of_user ON token_families (user_id, network_hash);
CREATE INDEX token_families_by_expiry ON token_families (expires_at);

-- Keys that sign access tokens. The private part is encrypted with a key derived from the server's secret.
CREATE TABLE signing_keys (
    key_id text PRIMARY KEY,
    public_key bytea NOT NULL CHECK (length(public_key) = 32),
    sealed_private_key bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Published at once; signs from then on, until a newer one does.
    signs_from timestamptz NOT NULL,
    -- When the last token that it signed is gone; none while it is the newest.
    verifies_until timestamptz
);
