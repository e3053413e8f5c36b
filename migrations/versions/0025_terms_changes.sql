-- How often a session's terms changed: a desk whose stock is behind may hold by it all the same, not by older terms.
ALTER TABLE stock ADD COLUMN terms_changes integer NOT NULL DEFAULT 0;
