-- The idempotency key of a hold stands on the reservation: one row and an index less for each. Refusals have no such row
-- and stay in idempotency_keys, as do the answers kept before this; so sessions that exist count as having some.
ALTER TABLE stock ADD COLUMN refusals integer NOT NULL DEFAULT 1;
ALTER TABLE stock ALTER COLUMN refusals SET DEFAULT 0;
ALTER TABLE reservations
    ADD COLUMN idempotency_key text COLLATE "C",
    ADD COLUMN fingerprint bytea,
    ADD COLUMN first_expires_at timestamptz;
CREATE UNIQUE INDEX reservations_keyed ON reservations (organization_id, session_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
