-- organizations: what they ask of members, the limit of refunds, scopes of API keys -----------------

ALTER TABLE organizations
    ADD COLUMN second_factor_required boolean NOT NULL DEFAULT false,
    -- What may be refunded of one order without an owner; null: any amount.
    ADD COLUMN refund_limit_minor bigint DEFAULT 100000 CHECK (refund_limit_minor >= 0);

CREATE INDEX members_of_user ON members (user_id, organization_id);

ALTER TABLE api_keys
    -- Permissions that narrow the role down; null: all of it. A scanner's key may be bound to sessions and gates.
    ADD COLUMN scopes text[],
    ADD COLUMN session_ids uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN gates text[] NOT NULL DEFAULT '{}';

-- Refunds are found by their id alone, like what they belong to.
ALTER TABLE directory DROP CONSTRAINT directory_kind_check;
ALTER TABLE directory ADD CONSTRAINT directory_kind_check
    CHECK (kind IN ('api_key', 'event', 'session', 'seat_map', 'order', 'payment', 'refund', 'ticket')) NOT VALID;
ALTER TABLE directory VALIDATE CONSTRAINT directory_kind_check;
INSERT INTO directory (id, organization_id, kind)
SELECT refund_id, organization_id, 'refund' FROM refunds ON CONFLICT DO NOTHING;
