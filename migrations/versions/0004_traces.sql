-- The W3C context of what announced a message, where traces are kept.
ALTER TABLE outbox ADD COLUMN traceparent text;
