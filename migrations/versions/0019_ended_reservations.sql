-- Finds reservations that came to nothing, so that old ones are deleted without reading all the others.
CREATE INDEX reservations_ended ON reservations (ended_at, organization_id, reservation_id)
    WHERE status IN ('released', 'expired');
