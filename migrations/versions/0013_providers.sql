-- What an organization gave us to act for it at a provider: JSON under AES-256-GCM, with a key that is derived.
CREATE TABLE provider_keys (
    organization_id uuid NOT NULL REFERENCES organizations,
    provider text NOT NULL,
    sealed bytea NOT NULL,
    -- What may be shown: the beginning and the end.
    secret_key_hint text NOT NULL,
    publishable_key text,
    webhook_secret_hints text[] NOT NULL,
    -- Until then the older webhook secrets are believed too.
    previous_secret_until timestamptz,
    moves_money boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, provider)
);

-- A buyer's bank asks for the money back.
CREATE TABLE disputes (
    organization_id uuid NOT NULL,
    dispute_id uuid NOT NULL,
    order_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    provider_reference text NOT NULL,
    status text NOT NULL DEFAULT 'opened' CHECK (status IN ('opened', 'won', 'lost')),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    -- What the provider has taken away for it at any time, whether or not it came back.
    withdrawn_minor bigint NOT NULL DEFAULT 0 CHECK (withdrawn_minor >= 0),
    reason text,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    PRIMARY KEY (organization_id, dispute_id),
    CONSTRAINT disputes_once UNIQUE (organization_id, payment_id, provider_reference)
);
CREATE INDEX disputes_of_order ON disputes (organization_id, order_id);

-- Whole days that were compared with a provider's books.
CREATE TABLE reconciliations (
    organization_id uuid NOT NULL,
    provider text NOT NULL,
    day date NOT NULL,
    -- Whoever compares leaves it alone until then; another takes over after it.
    leased_until timestamptz,
    compared_at timestamptz,
    told_count integer NOT NULL DEFAULT 0,
    healed_count integer NOT NULL DEFAULT 0,
    last_error text,
    PRIMARY KEY (organization_id, provider, day)
);

-- Where a provider's books and ours differ, and nothing but a person can put it right.
CREATE TABLE money_cases (
    organization_id uuid NOT NULL,
    case_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('capture_missing', 'refund_missing', 'capture_unknown', 'amount_differs',
                                       'refund_failed')),
    provider text NOT NULL,
    -- What it is about, in the provider's words, else our id.
    subject text NOT NULL,
    order_id uuid,
    payment_id uuid,
    detail text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz,
    PRIMARY KEY (organization_id, case_id),
    CONSTRAINT money_cases_once UNIQUE (organization_id, provider, kind, subject)
);
CREATE INDEX money_cases_open ON money_cases (opened_at) WHERE closed_at IS NULL;

ALTER TABLE payments ADD COLUMN capture_reference text;
CREATE UNIQUE INDEX payments_captured_once ON payments (organization_id, provider, capture_reference)
    WHERE capture_reference IS NOT NULL;
CREATE INDEX payments_started ON payments (organization_id, provider, started_at);

ALTER TABLE payment_notices ALTER COLUMN payment_id DROP NOT NULL;
ALTER TABLE payment_notices ADD COLUMN capture_reference text;
ALTER TABLE payment_notices ADD CONSTRAINT payment_notices_about
    CHECK (payment_id IS NOT NULL OR capture_reference IS NOT NULL);
CREATE INDEX payment_notices_waiting ON payment_notices (organization_id, provider, capture_reference)
    WHERE payment_id IS NULL;

ALTER TABLE refunds ADD COLUMN past_references text[] NOT NULL DEFAULT '{}';
CREATE UNIQUE INDEX refunds_reference_once ON refunds (organization_id, payment_id, provider_reference)
    WHERE provider_reference IS NOT NULL;

ALTER TABLE ledger_entries ADD COLUMN dispute_id uuid;

-- It may hold a secret of the provider's, so it goes when the attempt ends.
UPDATE payments SET next_step = NULL WHERE status <> 'started';
