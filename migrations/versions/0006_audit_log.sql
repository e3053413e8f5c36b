-- Who did what to which thing, from where: written in the transaction of the act, and only ever added to.
CREATE TABLE audit_entries (
    organization_id uuid NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    actor_kind text NOT NULL CHECK (actor_kind IN ('api_key', 'user', 'operator')),
    actor_id uuid,
    actor_label text NOT NULL CHECK (length(actor_label) <= 100),
    action text NOT NULL CHECK (action ~ '^[a-z_]+\.[a-z_]+$'),
    thing_kind text NOT NULL,
    thing_id uuid NOT NULL,
    request_id text,
    details jsonb NOT NULL DEFAULT '{}',
    -- Of the row of audit_origins, which may be erased; null where there is none.
    origin_digest bytea,
    occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, position)
);
CREATE INDEX audit_entries_by_time ON audit_entries (organization_id, occurred_at, position);
CREATE INDEX audit_entries_by_actor ON audit_entries (organization_id, actor_id, occurred_at, position);
CREATE INDEX audit_entries_by_thing ON audit_entries (organization_id, thing_id, occurred_at, position);

-- From where: an address is a person's, so it is erased when its time is over. The salt goes with it.
CREATE TABLE audit_origins (
    organization_id uuid NOT NULL,
    position bigint NOT NULL,
    salt bytea NOT NULL,
    address text NOT NULL,
    user_agent text NOT NULL,
    occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, position)
);
CREATE INDEX audit_origins_by_age ON audit_origins (occurred_at);

-- What waits for its place in the chain. A position is no order: a later one may be committed before.
CREATE TABLE audit_arrivals (
    organization_id uuid NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (organization_id, position)
);

-- The chain of each organization: entries in the order in which they were found committed.
-- hash = SHA-256 of the hash before (32 zero bytes for number 1), the number (8 bytes), and the entry's digest.
CREATE TABLE audit_links (
    organization_id uuid NOT NULL,
    number bigint NOT NULL CHECK (number > 0),
    position bigint NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32),
    linked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, number),
    CONSTRAINT audit_links_entry UNIQUE (organization_id, position)
);

-- Where each chain ends, so that a tail that was cut off is missed.
CREATE TABLE audit_heads (
    organization_id uuid PRIMARY KEY,
    number bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex')
);

CREATE FUNCTION audit_digest(entry audit_entries) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT sha256(convert_to(jsonb_build_array(
        entry.organization_id, entry.position, entry.actor_kind, entry.actor_id, entry.actor_label, entry.action,
        entry.thing_kind, entry.thing_id, entry.request_id, entry.details, encode(entry.origin_digest, 'hex'),
        (extract(epoch FROM entry.occurred_at) * 1000000)::bigint)::text, 'UTF8'))
$$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are only ever added', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_links_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_links
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
