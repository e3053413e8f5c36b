-- webhooks ---------------------------------------------------------------------------------------

-- Where messages of an organization are sent. Its secrets are derived, and stand nowhere.
CREATE TABLE webhook_endpoints (
    organization_id uuid NOT NULL REFERENCES organizations,
    endpoint_id uuid NOT NULL,
    url text NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    description text NOT NULL DEFAULT '',
    types text[] NOT NULL CHECK (cardinality(types) > 0),
    status text NOT NULL DEFAULT 'enabled' CHECK (status IN ('enabled', 'disabled')),
    disabled_reason text CHECK (disabled_reason IN ('by_request', 'gone', 'failing')),
    disabled_at timestamptz,
    secret_number integer NOT NULL DEFAULT 1 CHECK (secret_number > 0),
    -- Until then the secret before the present one signs too.
    previous_secret_until timestamptz,
    -- Failed attempts since the last good one.
    failure_count integer NOT NULL DEFAULT 0 CHECK (failure_count >= 0),
    last_delivered_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, endpoint_id),
    CONSTRAINT webhook_endpoints_disabled CHECK ((status = 'disabled') = (disabled_at IS NOT NULL)
        AND (status = 'disabled') = (disabled_reason IS NOT NULL))
);

-- One row for each endpoint and message. Whoever sends it moves due_at to the end of its lease, and leaves its token.
CREATE TABLE webhook_deliveries (
    organization_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    message_id uuid NOT NULL,
    type text NOT NULL,
    -- The bytes that are signed, the same at every attempt.
    body text NOT NULL,
    is_test boolean NOT NULL DEFAULT false,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts smallint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    due_at timestamptz,
    lease_token uuid,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When the present round of attempts began: at first, or at a replay.
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    PRIMARY KEY (organization_id, delivery_id),
    CONSTRAINT webhook_deliveries_once UNIQUE (organization_id, endpoint_id, message_id),
    CONSTRAINT webhook_deliveries_pending CHECK ((status = 'pending') = (due_at IS NOT NULL)
        AND (status = 'pending') = (ended_at IS NULL)),
    FOREIGN KEY (organization_id, endpoint_id) REFERENCES webhook_endpoints ON DELETE CASCADE
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (organization_id, endpoint_id, due_at)
    WHERE status = 'pending';
CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (organization_id, endpoint_id, created_at)
    WHERE status = 'failed';
CREATE INDEX webhook_deliveries_of_endpoint ON webhook_deliveries (organization_id, endpoint_id, delivery_id);
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE webhook_attempts (
    organization_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    attempt_id uuid NOT NULL,
    status_code smallint,
    -- Why there is no answer, or none that counts.
    trouble text,
    -- The beginning of the answer's body.
    excerpt text NOT NULL DEFAULT '',
    duration_seconds double precision NOT NULL,
    attempted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, delivery_id, attempt_id),
    FOREIGN KEY (organization_id, delivery_id) REFERENCES webhook_deliveries ON DELETE CASCADE
);
