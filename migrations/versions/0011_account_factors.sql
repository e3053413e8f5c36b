-- identity ---------------------------------------------------------------------------------------

-- Mails to be sent about an account, whether or not there is one: the worker finds out. Deleted once it has.
CREATE TABLE account_mails (
    mail_id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('registered', 'verify', 'forgotten', 'password_changed', 'second_factor_on',
        'second_factor_off', 'recovery_code_used', 'provider_linked')),
    email text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Links that were mailed, or shown to the operator. The secret in a link is derived, and stands nowhere.
CREATE TABLE link_tokens (
    token_id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    purpose text NOT NULL CHECK (purpose IN ('verify_email', 'set_password')),
    token_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX link_tokens_of_user ON link_tokens (user_id);
CREATE INDEX link_tokens_by_expiry ON link_tokens (expires_at);

-- The secret that a person's app makes codes from, encrypted; it counts once the first code was right.
CREATE TABLE second_factors (
    user_id uuid PRIMARY KEY REFERENCES users,
    sealed_secret bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    confirmed_at timestamptz,
    -- The 30 seconds of the newest code that was taken: none is taken twice.
    last_step integer NOT NULL DEFAULT 0
);

CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users,
    code_hash bytea NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (user_id, code_hash)
);

-- A sign-in elsewhere that was begun: deleted by the answer, so that it counts once.
CREATE TABLE provider_attempts (
    state_hash bytea PRIMARY KEY,
    provider text NOT NULL,
    -- Nonce and verifier, encrypted.
    sealed bytea NOT NULL,
    browser_hash bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX provider_attempts_by_expiry ON provider_attempts (expires_at);

-- Whom a provider of identities means.
CREATE TABLE user_identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL REFERENCES users,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX user_identities_of_user ON user_identities (user_id);
