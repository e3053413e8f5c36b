-- Codes, hidden ticket types, and tickets that are given away.
-- A text that takes something off, or opens hidden ticket types; in capitals, as it is compared.
CREATE TABLE codes (
    organization_id uuid NOT NULL REFERENCES organizations,
    code_id uuid NOT NULL,
    code text NOT NULL CHECK (code ~ '^[A-Z0-9][A-Z0-9_-]{2,39}$'),
    note text NOT NULL DEFAULT '',
    -- Where it counts: null and none mean everywhere.
    event_id uuid,
    session_ids uuid[] NOT NULL DEFAULT '{}',
    -- What becomes cheaper, and of that opens what is hidden; none: all that is not hidden becomes cheaper.
    ticket_type_ids uuid[] NOT NULL DEFAULT '{}',
    -- What it takes off, in millionths or as an amount.
    rate integer NOT NULL DEFAULT 0 CHECK (rate BETWEEN 0 AND 1000000),
    amount_minor bigint NOT NULL DEFAULT 0 CHECK (amount_minor >= 0),
    per text NOT NULL DEFAULT 'ticket' CHECK (per IN ('ticket', 'order')),
    currency text,
    -- How many orders may use it, in all and of one buyer; null: any number.
    uses_max integer CHECK (uses_max > 0),
    per_buyer_max integer CHECK (per_buyer_max > 0),
    valid_from timestamptz,
    valid_until timestamptz,
    enabled boolean NOT NULL DEFAULT true,
    -- The uses that were not given back. Its row is the lock under which they are counted.
    use_count integer NOT NULL DEFAULT 0 CHECK (use_count >= 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, code_id),
    CONSTRAINT codes_code UNIQUE (organization_id, code),
    CONSTRAINT codes_currency CHECK ((amount_minor > 0) = (currency IS NOT NULL))
);

-- Which order used which code. A use is given back once, when its order ends unpaid.
CREATE TABLE code_uses (
    organization_id uuid NOT NULL,
    order_id uuid NOT NULL,
    code_id uuid NOT NULL,
    used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    returned_at timestamptz,
    PRIMARY KEY (organization_id, order_id),
    FOREIGN KEY (organization_id, code_id) REFERENCES codes
);
CREATE INDEX code_uses_of_code ON code_uses (organization_id, code_id, order_id);

ALTER TABLE ticket_types ADD COLUMN hidden boolean NOT NULL DEFAULT false;
ALTER TABLE orders ADD COLUMN reason text CHECK (length(reason) BETWEEN 1 AND 100);
