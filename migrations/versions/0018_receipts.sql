-- Receipts of orders, and credit notes of refunds. The row is its number: none is reserved, so none is lost.
CREATE TABLE receipts (
    organization_id uuid NOT NULL,
    receipt_id uuid NOT NULL,
    year smallint NOT NULL,
    number bigint NOT NULL CHECK (number > 0),
    order_id uuid NOT NULL,
    -- Of a credit note.
    refund_id uuid,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    issued_at timestamptz NOT NULL,
    -- What is printed, as it was then; who bought is not here, and may be erased.
    organization text NOT NULL,
    event text NOT NULL,
    lines jsonb NOT NULL,
    PRIMARY KEY (organization_id, receipt_id),
    CONSTRAINT receipts_number UNIQUE (organization_id, year, number),
    CONSTRAINT receipts_once UNIQUE NULLS NOT DISTINCT (organization_id, order_id, refund_id)
);
CREATE TRIGGER receipts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON receipts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
