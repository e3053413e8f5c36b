-- Fees and taxes, and what each line and unit was charged.
-- Fees and taxes as they were declared. A declaration never changes, so that what was priced by it can be told;
-- the nearest one in force counts: of the session, of the event, of the organization.
CREATE TABLE charges (
    organization_id uuid NOT NULL REFERENCES organizations,
    charges_id uuid NOT NULL,
    level text NOT NULL CHECK (level IN ('organization', 'event', 'session')),
    -- The organization, event or session.
    declared_for uuid NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    declaration jsonb NOT NULL,
    declared_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When another one took its place, or none.
    ended_at timestamptz,
    PRIMARY KEY (organization_id, charges_id)
);
CREATE UNIQUE INDEX charges_in_force ON charges (organization_id, declared_for) WHERE ended_at IS NULL;

ALTER TABLE order_lines ADD COLUMN quote jsonb;
-- A check that no old row breaks is added without reading them all under a lock.
ALTER TABLE order_lines DROP CONSTRAINT order_lines_kind_check;
ALTER TABLE order_lines ADD CONSTRAINT order_lines_kind_check
    CHECK (kind IN ('ticket', 'fee', 'discount', 'product', 'tax')) NOT VALID;
ALTER TABLE order_lines VALIDATE CONSTRAINT order_lines_kind_check;
ALTER TABLE units
    ADD COLUMN discount_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN fee_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN absorbed_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN tax_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN tax_of_fees_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN tax_added_minor bigint NOT NULL DEFAULT 0;
