-- The schema as it is after every migration. A test compares the two catalogs.
-- Sections are in the order of the layers; a table is written only by the feature named above it.
-- Tables of the sale begin their primary key, and contain in every unique key, the organization:
-- it is the wall between organizations and the key by which a distributed Postgres shards.

-- infra ------------------------------------------------------------------------------------------

-- Finds the organization of what is asked for by its id alone.
CREATE TABLE directory (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('api_key', 'event', 'session', 'seat_map', 'order', 'payment', 'refund', 'ticket'))
);

CREATE TABLE outbox (
    organization_id uuid NOT NULL,
    message_id uuid NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    partition smallint NOT NULL CHECK (partition BETWEEN 0 AND 63),
    key uuid NOT NULL,
    type text NOT NULL,
    version smallint NOT NULL,
    data jsonb NOT NULL,
    request_id text,
    occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at timestamptz,
    attempts smallint NOT NULL DEFAULT 0,
    retry_at timestamptz,
    last_error text,
    parked_at timestamptz,
    traceparent text,
    PRIMARY KEY (organization_id, message_id)
);
CREATE INDEX outbox_unsent ON outbox (partition, position) WHERE sent_at IS NULL AND parked_at IS NULL;
CREATE INDEX outbox_waiting ON outbox (partition, key, retry_at)
    WHERE retry_at IS NOT NULL AND sent_at IS NULL AND parked_at IS NULL;
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE sent_at IS NOT NULL;

-- One relay at a time holds a partition of keys, until its lease ends or is given back.
CREATE TABLE outbox_leases (
    partition smallint PRIMARY KEY,
    token uuid,
    leased_until timestamptz NOT NULL DEFAULT '-infinity'
);

-- The queue of the Postgres broker: one row for each queue that wants the message.
CREATE TABLE broker_messages (
    queue text NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    organization_id uuid NOT NULL,
    message_id uuid NOT NULL,
    key uuid NOT NULL,
    body jsonb NOT NULL,
    attempts smallint NOT NULL DEFAULT 0,
    visible_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_token uuid,
    enqueued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (queue, position),
    CONSTRAINT broker_messages_once UNIQUE (organization_id, queue, message_id)
)
-- A message is leased by an update of its row, whose body is large: with room beside it on its page the row is not
-- entered into every index anew.
WITH (fillfactor = 50);
CREATE INDEX broker_messages_by_key ON broker_messages (queue, key, position);

-- How much waits in queues that only a broker knows, as each worker measured it.
CREATE TABLE queue_depths (
    queue text NOT NULL,
    measured_by uuid NOT NULL,
    broker text NOT NULL,
    waiting_count integer NOT NULL,
    oldest_seconds double precision,
    measured_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (queue, measured_by)
);

CREATE TABLE dead_letters (
    organization_id uuid NOT NULL,
    dead_letter_id uuid NOT NULL,
    queue text NOT NULL,
    message_id uuid NOT NULL,
    key uuid NOT NULL,
    body jsonb NOT NULL,
    reason text NOT NULL,
    attempts smallint NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_at timestamptz,
    resolution text CHECK (resolution IN ('replayed', 'discarded')),
    PRIMARY KEY (organization_id, dead_letter_id)
);

-- What has been reacted to; the row is written in the transaction of the reaction.
CREATE TABLE inbox (
    organization_id uuid NOT NULL,
    source text NOT NULL,
    id text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, source, id)
);
CREATE INDEX inbox_by_age ON inbox (received_at);

CREATE TABLE idempotency_keys (
    organization_id uuid NOT NULL,
    scope text NOT NULL,
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL,
    status smallint NOT NULL,
    answer jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, scope, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

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

-- identity ---------------------------------------------------------------------------------------

CREATE TABLE users (
    user_id uuid PRIMARY KEY,
    email text NOT NULL,
    name text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    language text NOT NULL DEFAULT 'en',
    -- Who opened a link that was mailed there, or whom a provider or the operator vouched for.
    email_verified_at timestamptz,
    -- Argon2id with its parameters and salt; none for who signs in elsewhere.
    password_hash text,
    password_changed_at timestamptz
);
CREATE UNIQUE INDEX users_email ON users (lower(email));

-- A family of refresh tokens: one sign-in. Each refresh makes the next generation; of all of them only the newest opens.
CREATE TABLE token_families (
    family_id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    generation integer NOT NULL DEFAULT 1 CHECK (generation > 0),
    token_hash bytea NOT NULL,
    has_second_factor boolean NOT NULL,
    -- What the client calls itself, for people to tell their sign-ins apart.
    client text NOT NULL DEFAULT '',
    -- From where it began, as a keyed hash: who comes from there again does not wait for the failures of strangers.
    network_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    refreshed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX token_families_of_user ON token_families (user_id, network_hash);
CREATE INDEX token_families_by_expiry ON token_families (expires_at);

-- Keys that sign access tokens. The private part is encrypted with a key derived from the server's secret.
CREATE TABLE signing_keys (
    key_id text PRIMARY KEY,
    public_key bytea NOT NULL CHECK (length(public_key) = 32),
    sealed_private_key bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Published at once; signs from then on, until a newer one does.
    signs_from timestamptz NOT NULL,
    -- When the last token that it signed is gone; none while it is the newest.
    verifies_until timestamptz
);

-- Mails to be sent about an account, whether or not there is one: the worker finds out. Deleted once it has.
CREATE TABLE account_mails (
    mail_id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('registered', 'verify', 'forgotten', 'password_changed', 'second_factor_on',
        'second_factor_off', 'recovery_code_used', 'provider_linked')),
    email text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Links that were mailed, or shown to the operator. The secret in a link is derived, and stands nowhere.
CREATE TABLE link_tokens (
    token_id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    purpose text NOT NULL CHECK (purpose IN ('verify_email', 'set_password')),
    token_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX link_tokens_of_user ON link_tokens (user_id);
CREATE INDEX link_tokens_by_expiry ON link_tokens (expires_at);

-- The secret that a person's app makes codes from, encrypted; it counts once the first code was right.
CREATE TABLE second_factors (
    user_id uuid PRIMARY KEY REFERENCES users,
    sealed_secret bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    confirmed_at timestamptz,
    -- The 30 seconds of the newest code that was taken: none is taken twice.
    last_step integer NOT NULL DEFAULT 0
);

CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users,
    code_hash bytea NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (user_id, code_hash)
);

-- A sign-in elsewhere that was begun: deleted by the answer, so that it counts once.
CREATE TABLE provider_attempts (
    state_hash bytea PRIMARY KEY,
    provider text NOT NULL,
    -- Nonce and verifier, encrypted.
    sealed bytea NOT NULL,
    browser_hash bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX provider_attempts_by_expiry ON provider_attempts (expires_at);

-- Whom a provider of identities means.
CREATE TABLE user_identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL REFERENCES users,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX user_identities_of_user ON user_identities (user_id);

-- organizations ----------------------------------------------------------------------------------

CREATE TABLE organizations (
    organization_id uuid PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    contact_email text,
    language text NOT NULL DEFAULT 'en',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    second_factor_required boolean NOT NULL DEFAULT false,
    -- What may be refunded of one order without an owner; null: any amount.
    refund_limit_minor bigint DEFAULT 100000 CHECK (refund_limit_minor >= 0)
);

CREATE TABLE members (
    organization_id uuid NOT NULL REFERENCES organizations,
    user_id uuid NOT NULL REFERENCES users,
    role text NOT NULL CHECK (role IN ('owner', 'manager', 'box_office', 'scanner')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX members_of_user ON members (user_id, organization_id);

-- Offers of a role to whoever proves to own an address; the secret in the mail is derived, and stands nowhere.
CREATE TABLE invitations (
    organization_id uuid NOT NULL REFERENCES organizations,
    invitation_id uuid NOT NULL,
    email text NOT NULL,
    role text NOT NULL CHECK (role IN ('owner', 'manager', 'box_office', 'scanner')),
    secret_hash bytea NOT NULL,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'accepted', 'revoked')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    mailed_at timestamptz,
    PRIMARY KEY (organization_id, invitation_id)
);
CREATE UNIQUE INDEX invitations_one_open ON invitations (organization_id, lower(email)) WHERE status = 'open';

CREATE TABLE api_keys (
    organization_id uuid NOT NULL REFERENCES organizations,
    api_key_id uuid NOT NULL,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('owner', 'manager', 'box_office', 'scanner')),
    key_hash bytea NOT NULL,
    key_hint text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    -- Permissions that narrow the role down; null: all of it. A scanner's key may be bound to sessions and gates.
    scopes text[],
    session_ids uuid[] NOT NULL DEFAULT '{}',
    gates text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (organization_id, api_key_id)
);

-- pricing ----------------------------------------------------------------------------------------

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

-- events -----------------------------------------------------------------------------------------

CREATE TABLE events (
    organization_id uuid NOT NULL REFERENCES organizations,
    event_id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    description text NOT NULL DEFAULT '',
    location text NOT NULL DEFAULT '',
    time_zone text NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'published', 'cancelled')),
    -- The first start and the last end of its sessions, kept for lists; null while it has none.
    starts_at timestamptz,
    ends_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz,
    cancelled_at timestamptz,
    -- How many places of all of its sessions one buyer may have, by mail address; null: any number.
    per_buyer_max integer CHECK (per_buyer_max BETWEEN 1 AND 1000),
    PRIMARY KEY (organization_id, event_id)
);
CREATE INDEX events_listed ON events (starts_at, event_id) WHERE status = 'published';

CREATE TABLE sessions (
    organization_id uuid NOT NULL,
    session_id uuid NOT NULL,
    event_id uuid NOT NULL,
    name text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT 'scheduled' CHECK (status IN ('scheduled', 'postponed', 'moved', 'cancelled')),
    time_zone text NOT NULL,
    -- The wall clock is what was announced; the instant is what programs compare.
    starts_local timestamp NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_local timestamp,
    ends_at timestamptz,
    sales_from_local timestamp,
    sales_from timestamptz,
    sales_until_local timestamp,
    sales_until timestamptz,
    entry_from timestamptz,
    entry_until timestamptz,
    seat_map_id uuid,
    hold_seconds integer NOT NULL DEFAULT 900 CHECK (hold_seconds BETWEEN 60 AND 7200),
    per_order_max integer NOT NULL DEFAULT 10 CHECK (per_order_max BETWEEN 1 AND 1000),
    release_on_decline boolean NOT NULL DEFAULT false,
    reseat_equal boolean NOT NULL DEFAULT true,
    gates text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cancelled_at timestamptz,
    PRIMARY KEY (organization_id, session_id),
    FOREIGN KEY (organization_id, event_id) REFERENCES events,
    CONSTRAINT sessions_end_after_start CHECK (ends_at > starts_at),
    CONSTRAINT sessions_sales_window CHECK (sales_until > sales_from)
);
CREATE INDEX sessions_of_event ON sessions (organization_id, event_id, starts_at, session_id);

CREATE TABLE price_categories (
    organization_id uuid NOT NULL,
    session_id uuid NOT NULL,
    price_category_id uuid NOT NULL,
    -- The key that seats and areas of the map name; unique in the session.
    key text NOT NULL,
    name text NOT NULL,
    position smallint NOT NULL,
    -- Its quota in reservations.
    quota_id uuid NOT NULL,
    PRIMARY KEY (organization_id, session_id, price_category_id),
    CONSTRAINT price_categories_key UNIQUE (organization_id, session_id, key),
    FOREIGN KEY (organization_id, session_id) REFERENCES sessions
);

CREATE TABLE ticket_types (
    organization_id uuid NOT NULL,
    session_id uuid NOT NULL,
    ticket_type_id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    description text NOT NULL DEFAULT '',
    position smallint NOT NULL,
    per_order_max integer CHECK (per_order_max BETWEEN 1 AND 1000),
    on_sale boolean NOT NULL DEFAULT true,
    -- Quotas it draws on besides that of the price category: its own, or shared ones.
    quota_ids uuid[] NOT NULL DEFAULT '{}',
    -- Shown and sold only to who has a code that opens it.
    hidden boolean NOT NULL DEFAULT false,
    PRIMARY KEY (organization_id, session_id, ticket_type_id),
    FOREIGN KEY (organization_id, session_id) REFERENCES sessions
);

CREATE TABLE prices (
    organization_id uuid NOT NULL,
    session_id uuid NOT NULL,
    ticket_type_id uuid NOT NULL,
    price_category_id uuid NOT NULL,
    price_minor bigint NOT NULL CHECK (price_minor >= 0),
    PRIMARY KEY (organization_id, session_id, ticket_type_id, price_category_id),
    FOREIGN KEY (organization_id, session_id, ticket_type_id) REFERENCES ticket_types,
    FOREIGN KEY (organization_id, session_id, price_category_id) REFERENCES price_categories
);

-- What an event asks of its buyers: names on tickets, questions, and what they agree to. A change is a new version, so
-- that what was agreed to stays readable.
CREATE TABLE event_forms (
    organization_id uuid NOT NULL,
    event_id uuid NOT NULL,
    version_number integer NOT NULL CHECK (version_number > 0),
    holders text NOT NULL CHECK (holders IN ('no', 'optional', 'required')),
    -- [{key, text, scope, required, choices}]
    questions jsonb NOT NULL,
    -- [{purpose, text, required, text_version}]
    consents jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, event_id, version_number),
    FOREIGN KEY (organization_id, event_id) REFERENCES events ON DELETE CASCADE
);

-- seating ----------------------------------------------------------------------------------------

-- A published map never changes; a new version is a new row with a new id.
CREATE TABLE seat_maps (
    organization_id uuid NOT NULL REFERENCES organizations,
    seat_map_id uuid NOT NULL,
    name text NOT NULL,
    version integer NOT NULL,
    document jsonb NOT NULL,
    seat_count integer NOT NULL CHECK (seat_count >= 0),
    area_count integer NOT NULL CHECK (area_count >= 0),
    place_count integer NOT NULL CHECK (place_count > 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, seat_map_id),
    CONSTRAINT seat_maps_version UNIQUE (organization_id, name, version)
);

-- reservations -----------------------------------------------------------------------------------

-- One row a session: the lock under which stock changes, and the number of its latest change.
CREATE TABLE stock (
    organization_id uuid NOT NULL,
    session_id uuid NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    seat_map_id uuid,
    ever_held boolean NOT NULL DEFAULT false,
    -- How often refusals were kept for idempotency keys: who did not see the latest of them may not hold.
    refusals integer NOT NULL DEFAULT 0,
    -- How often the session's terms changed: who decided by older ones may not hold.
    terms_changes integer NOT NULL DEFAULT 0,
    PRIMARY KEY (organization_id, session_id)
) WITH (fillfactor = 50);

CREATE TABLE quotas (
    organization_id uuid NOT NULL,
    session_id uuid NOT NULL,
    quota_id uuid NOT NULL,
    -- 'area' counts the room of a standing area of the map; its key stands in name.
    kind text NOT NULL CHECK (kind IN ('category', 'ticket_type', 'shared', 'area')),
    name text NOT NULL,
    capacity integer NOT NULL CHECK (capacity >= 0),
    held integer NOT NULL DEFAULT 0 CHECK (held >= 0),
    sold integer NOT NULL DEFAULT 0 CHECK (sold >= 0),
    blocked integer NOT NULL DEFAULT 0 CHECK (blocked >= 0),
    PRIMARY KEY (organization_id, session_id, quota_id),
    CONSTRAINT quotas_not_oversold CHECK (held + sold + blocked <= capacity)
) WITH (fillfactor = 50);

-- One row a seat of the session's map; seat_index is the seat's permanent index in that map.
CREATE TABLE seats (
    organization_id uuid NOT NULL,
    session_id uuid NOT NULL,
    seat_index integer NOT NULL CHECK (seat_index >= 0),
    -- 0 available, 1 held, 2 sold, 3 blocked: the two bits of the availability answer.
    state smallint NOT NULL DEFAULT 0,
    -- The reservation that holds or bought it; the allocation that blocks it.
    reservation_id uuid,
    allocation_id uuid,
    PRIMARY KEY (organization_id, session_id, seat_index),
    CONSTRAINT seats_state CHECK (
        CASE state
            WHEN 0 THEN reservation_id IS NULL AND allocation_id IS NULL
            WHEN 1 THEN reservation_id IS NOT NULL
            WHEN 2 THEN reservation_id IS NOT NULL
            WHEN 3 THEN reservation_id IS NULL AND allocation_id IS NOT NULL
            ELSE false
        END
    )
) WITH (fillfactor = 70);

CREATE TABLE reservations (
    organization_id uuid NOT NULL,
    reservation_id uuid NOT NULL,
    session_id uuid NOT NULL,
    status text NOT NULL DEFAULT 'held' CHECK (status IN ('held', 'sold', 'released', 'expired')),
    token_hash bytea NOT NULL,
    -- What was held, as it was priced: [{ticket_type_id, ticket_type, price_category_id, price_category, area,
    -- quantity, seats: [{index, key, label}], price_minor}]. Never changed.
    items jsonb NOT NULL,
    total_minor bigint NOT NULL CHECK (total_minor >= 0),
    currency text NOT NULL,
    -- What it draws: counts per quota, and seats by index.
    quota_ids uuid[] NOT NULL,
    quota_counts integer[] NOT NULL,
    seats integer[] NOT NULL DEFAULT '{}',
    allocation_id uuid,
    held_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- extend never goes past this instant; an open payment attempt may.
    expires_at_max timestamptz NOT NULL,
    ended_at timestamptz,
    -- The Idempotency-Key that asked for it, the digest of the body, and the deadline that was first answered.
    idempotency_key text COLLATE "C",
    fingerprint bytea,
    first_expires_at timestamptz,
    PRIMARY KEY (organization_id, reservation_id)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX reservations_keyed ON reservations (organization_id, session_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX reservations_held ON reservations (organization_id, session_id, expires_at) WHERE status = 'held';
CREATE INDEX reservations_expiring ON reservations (expires_at) WHERE status = 'held';
CREATE INDEX reservations_ended ON reservations (ended_at, organization_id, reservation_id)
    WHERE status IN ('released', 'expired');

CREATE TABLE allocations (
    organization_id uuid NOT NULL,
    session_id uuid NOT NULL,
    allocation_id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    reason text NOT NULL DEFAULT '',
    key_hash bytea,
    release_at timestamptz,
    -- What is still blocked of it.
    quota_ids uuid[] NOT NULL,
    quota_counts integer[] NOT NULL,
    seats integer[] NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'blocked' CHECK (status IN ('blocked', 'released')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    released_at timestamptz,
    PRIMARY KEY (organization_id, session_id, allocation_id)
);
CREATE INDEX allocations_due ON allocations (release_at) WHERE status = 'blocked' AND release_at IS NOT NULL;

-- What each version of a session's stock changed, so that a desk catches up without loading all.
CREATE TABLE stock_changes (
    organization_id uuid NOT NULL,
    session_id uuid NOT NULL,
    version bigint NOT NULL,
    -- Seats that took a new state, and the counters of the quotas as they became; terms_changed says that
    -- the session's prices, windows or limits must be read again.
    seats integer[] NOT NULL DEFAULT '{}',
    seat_states smallint[] NOT NULL DEFAULT '{}',
    quota_ids uuid[] NOT NULL DEFAULT '{}',
    quota_counters integer[] NOT NULL DEFAULT '{}',
    terms_changed boolean NOT NULL DEFAULT false,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, session_id, version),
    -- A writer that moved fewer seats or counters than it meant to breaks this, and writes nothing.
    CONSTRAINT stock_changes_complete CHECK (
        cardinality(seats) = cardinality(seat_states) AND cardinality(quota_counters) = 4 * cardinality(quota_ids)
    )
);
CREATE INDEX stock_changes_by_age ON stock_changes (changed_at);

-- orders -----------------------------------------------------------------------------------------

CREATE TABLE orders (
    organization_id uuid NOT NULL,
    order_id uuid NOT NULL,
    event_id uuid NOT NULL,
    session_id uuid NOT NULL,
    reservation_id uuid NOT NULL,
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'paid', 'cancelled', 'expired', 'paid_unseated', 'refunded')),
    secret_hash bytea NOT NULL,
    total_minor bigint NOT NULL CHECK (total_minor >= 0),
    currency text NOT NULL,
    language text NOT NULL DEFAULT 'en',
    placed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    paid_at timestamptz,
    ended_at timestamptz,
    -- Why its tickets are given away; null where they are sold.
    reason text CHECK (length(reason) BETWEEN 1 AND 100),
    PRIMARY KEY (organization_id, order_id),
    CONSTRAINT orders_one_per_reservation UNIQUE (organization_id, reservation_id)
);
CREATE INDEX orders_of_session ON orders (organization_id, session_id, order_id);

-- Who bought: erasable, referred to by the order's id alone.
CREATE TABLE order_contacts (
    organization_id uuid NOT NULL,
    order_id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (organization_id, order_id)
);
-- Addresses of one mailbox are one buyer: no letters are large, and nothing from a plus to the at sign counts.
CREATE INDEX order_contacts_of_buyer
    ON order_contacts (organization_id, lower(regexp_replace(email, '[+][^@]*@', '@')));
CREATE INDEX order_contacts_by_email ON order_contacts (organization_id, lower(email));

-- What a buyer agreed to, with the order: erasable like the contact.
CREATE TABLE order_consents (
    organization_id uuid NOT NULL,
    order_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose ~ '^[a-z][a-z0-9_]{0,49}$'),
    text_version text NOT NULL CHECK (length(text_version) BETWEEN 1 AND 50),
    given_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, order_id, purpose)
);

-- Who a ticket is for, by the line and the number of its unit; units, tickets and messages never name anybody.
CREATE TABLE order_holders (
    organization_id uuid NOT NULL,
    order_id uuid NOT NULL,
    line_number smallint NOT NULL,
    number smallint NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    PRIMARY KEY (organization_id, order_id, line_number, number)
);

-- What was answered, of one ticket, or of the whole order where line and number are 0.
CREATE TABLE order_answers (
    organization_id uuid NOT NULL,
    order_id uuid NOT NULL,
    line_number smallint NOT NULL,
    number smallint NOT NULL,
    question text NOT NULL,
    answer text NOT NULL CHECK (length(answer) BETWEEN 1 AND 1000),
    PRIMARY KEY (organization_id, order_id, line_number, number, question)
);

-- Finds the orders of a mail address in all organizations; the address itself is not in it, but a keyed hash.
CREATE TABLE order_emails (
    organization_id uuid NOT NULL,
    order_id uuid NOT NULL,
    email_hash bytea NOT NULL CHECK (length(email_hash) = 32),
    PRIMARY KEY (organization_id, order_id)
);
CREATE INDEX order_emails_by_hash ON order_emails (email_hash, order_id);

CREATE TABLE order_lines (
    organization_id uuid NOT NULL,
    order_id uuid NOT NULL,
    line_number smallint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('ticket', 'fee', 'discount', 'product', 'tax')),
    ticket_type_id uuid,
    price_category_id uuid,
    description text NOT NULL,
    area text,
    seats integer[] NOT NULL DEFAULT '{}',
    seat_keys text[] NOT NULL DEFAULT '{}',
    seat_labels text[] NOT NULL DEFAULT '{}',
    quantity integer NOT NULL CHECK (quantity > 0),
    price_minor bigint NOT NULL,
    -- Of a line of tickets: discount, fees and taxes as they were, by name; null where there were none.
    quote jsonb,
    PRIMARY KEY (organization_id, order_id, line_number)
);

CREATE TABLE units (
    organization_id uuid NOT NULL,
    unit_id uuid NOT NULL,
    order_id uuid NOT NULL,
    line_number smallint NOT NULL,
    number smallint NOT NULL,
    session_id uuid NOT NULL,
    ticket_type_id uuid NOT NULL,
    price_category_id uuid NOT NULL,
    area text,
    seat_index integer,
    seat_key text,
    seat_label text,
    -- What it draws in stock, and goes back when it is cancelled.
    quota_ids uuid[] NOT NULL,
    price_minor bigint NOT NULL,
    status text NOT NULL DEFAULT 'live' CHECK (status IN ('live', 'cancelled')),
    replaces_unit_id uuid,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cancelled_at timestamptz,
    -- Its share of what its line's quote says. What the buyer paid for it is
    -- price - discount + fee + tax added; the organizer pays what is absorbed out of that.
    discount_minor bigint NOT NULL DEFAULT 0,
    fee_minor bigint NOT NULL DEFAULT 0,
    absorbed_minor bigint NOT NULL DEFAULT 0,
    tax_minor bigint NOT NULL DEFAULT 0,
    tax_of_fees_minor bigint NOT NULL DEFAULT 0,
    tax_added_minor bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (organization_id, unit_id),
    CONSTRAINT units_once UNIQUE (organization_id, order_id, line_number, number)
);
CREATE UNIQUE INDEX units_one_live_per_seat ON units (organization_id, session_id, seat_index)
    WHERE status = 'live' AND seat_index IS NOT NULL;
CREATE INDEX units_of_session ON units (organization_id, session_id);

-- payments ---------------------------------------------------------------------------------------

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

CREATE TABLE payments (
    organization_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    order_id uuid NOT NULL,
    attempt smallint NOT NULL,
    provider text NOT NULL,
    status text NOT NULL DEFAULT 'started' CHECK (status IN ('started', 'succeeded', 'declined', 'cancelled')),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    -- Sent with the call, so that a repeated call is one payment at the provider.
    provider_key text NOT NULL,
    provider_reference text,
    request jsonb NOT NULL DEFAULT '{}',
    -- It may hold a secret of the provider's, so it goes when the attempt ends.
    next_step jsonb,
    reason text,
    captured_minor bigint NOT NULL DEFAULT 0 CHECK (captured_minor >= 0),
    -- The provider's name of the money that it took; refunds and disputes are about it.
    capture_reference text,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deadline_at timestamptz NOT NULL,
    cancel_requested_at timestamptz,
    -- When the provider was last asked how it ended.
    asked_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (organization_id, payment_id),
    CONSTRAINT payments_attempt UNIQUE (organization_id, order_id, attempt),
    CONSTRAINT payments_provider_key UNIQUE (organization_id, provider, provider_key)
);
CREATE INDEX payments_open ON payments (deadline_at) WHERE status = 'started';
CREATE UNIQUE INDEX payments_captured_once ON payments (organization_id, provider, capture_reference)
    WHERE capture_reference IS NOT NULL;
CREATE INDEX payments_started ON payments (organization_id, provider, started_at);

-- What providers told us: stored once as received, applied by a worker.
CREATE TABLE payment_notices (
    organization_id uuid NOT NULL,
    notice_id uuid NOT NULL,
    provider text NOT NULL,
    provider_notice_id text NOT NULL,
    -- Null until it is known whose money the capture_reference names; it is applied then.
    payment_id uuid,
    capture_reference text,
    body jsonb NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_at timestamptz,
    PRIMARY KEY (organization_id, notice_id),
    CONSTRAINT payment_notices_once UNIQUE (organization_id, provider, provider_notice_id),
    CONSTRAINT payment_notices_about CHECK (payment_id IS NOT NULL OR capture_reference IS NOT NULL)
);
CREATE INDEX payment_notices_waiting ON payment_notices (organization_id, provider, capture_reference)
    WHERE payment_id IS NULL;

CREATE TABLE refunds (
    organization_id uuid NOT NULL,
    refund_id uuid NOT NULL,
    order_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    status text NOT NULL DEFAULT 'requested' CHECK (status IN ('requested', 'succeeded', 'failed', 'forfeited')),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    reason text NOT NULL,
    provider_key text NOT NULL,
    provider_reference text,
    -- What the provider called it when it failed, before it was requested again.
    past_references text[] NOT NULL DEFAULT '{}',
    attempts smallint NOT NULL DEFAULT 0,
    retry_at timestamptz,
    last_error text,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    -- The number of the transfer or of the paper, where the buyer has the money otherwise than from the provider.
    otherwise_reference text,
    -- The lost dispute by which the buyer has the money; the refund bears its name at the provider.
    dispute_id uuid,
    PRIMARY KEY (organization_id, refund_id),
    CONSTRAINT refunds_provider_key UNIQUE (organization_id, provider_key)
);
CREATE INDEX refunds_open ON refunds (requested_at) WHERE status = 'requested';
CREATE INDEX refunds_of_order ON refunds (organization_id, order_id);
CREATE UNIQUE INDEX refunds_reference_once ON refunds (organization_id, payment_id, provider_reference)
    WHERE provider_reference IS NOT NULL AND dispute_id IS NULL;

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
    -- How a person put it right, and what proves it.
    resolution text,
    reference text,
    PRIMARY KEY (organization_id, case_id),
    CONSTRAINT money_cases_once UNIQUE (organization_id, provider, kind, subject)
);
CREATE INDEX money_cases_open ON money_cases (opened_at) WHERE closed_at IS NULL;

-- Double entry: each entry_id sums to zero per currency. Append-only.
CREATE TABLE ledger_entries (
    organization_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    line smallint NOT NULL,
    account text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    order_id uuid NOT NULL,
    payment_id uuid,
    refund_id uuid,
    event_id uuid NOT NULL,
    session_id uuid NOT NULL,
    entered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    dispute_id uuid,
    PRIMARY KEY (organization_id, entry_id, line)
);
CREATE INDEX ledger_entries_of_order ON ledger_entries (organization_id, order_id);
CREATE INDEX ledger_entries_by_time ON ledger_entries (organization_id, entered_at, entry_id, line);
CREATE INDEX ledger_entries_of_session ON ledger_entries (organization_id, session_id, entered_at);
CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What is added at once sums to zero, entry by entry.
CREATE FUNCTION refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added GROUP BY organization_id, entry_id, currency HAVING sum(amount_minor) <> 0) THEN
        RAISE EXCEPTION 'each entry of % sums to zero', TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER ledger_entries_balance AFTER INSERT ON ledger_entries REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced();

-- The books of the simulated provider: what a real one would keep on its own machines.
CREATE TABLE simulated_charges (
    organization_id uuid NOT NULL,
    reference text NOT NULL,
    provider_key text NOT NULL,
    payment_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    refunded_minor bigint NOT NULL DEFAULT 0 CHECK (refunded_minor BETWEEN 0 AND amount_minor),
    currency text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('succeed', 'decline', 'late', 'lost_answer')),
    status text NOT NULL CHECK (status IN ('open', 'captured', 'declined', 'cancelled')),
    notify_at timestamptz,
    notified_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, reference),
    CONSTRAINT simulated_charges_key UNIQUE (organization_id, provider_key)
);
CREATE INDEX simulated_charges_due ON simulated_charges (notify_at) WHERE notified_at IS NULL;

CREATE TABLE simulated_refunds (
    organization_id uuid NOT NULL,
    reference text NOT NULL,
    provider_key text NOT NULL,
    charge_reference text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, reference),
    CONSTRAINT simulated_refunds_key UNIQUE (organization_id, provider_key)
);

-- When an organization may call a provider next: a bucket of tokens that all processes share.
CREATE TABLE provider_budgets (
    organization_id uuid NOT NULL,
    provider text NOT NULL,
    next_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, provider)
);

-- tickets ----------------------------------------------------------------------------------------

CREATE TABLE ticket_keys (
    organization_id uuid NOT NULL,
    key_id integer NOT NULL CHECK (key_id BETWEEN 1 AND 65535),
    public_key bytea NOT NULL CHECK (length(public_key) = 32),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    retired_at timestamptz,
    PRIMARY KEY (organization_id, key_id)
);

CREATE TABLE tickets (
    organization_id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    event_id uuid NOT NULL,
    session_id uuid NOT NULL,
    order_id uuid NOT NULL,
    unit_id uuid NOT NULL,
    generation smallint NOT NULL CHECK (generation > 0),
    status text NOT NULL DEFAULT 'valid' CHECK (status IN ('valid', 'void', 'replaced')),
    key_id integer NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    PRIMARY KEY (organization_id, ticket_id),
    CONSTRAINT tickets_generation UNIQUE (organization_id, unit_id, generation)
);
CREATE UNIQUE INDEX tickets_one_valid_per_unit ON tickets (organization_id, unit_id) WHERE status = 'valid';
CREATE INDEX tickets_of_order ON tickets (organization_id, order_id);

-- What was rendered and where it is kept in the object store.
CREATE TABLE ticket_documents (
    organization_id uuid NOT NULL,
    order_id uuid NOT NULL,
    object_key text NOT NULL,
    content_type text NOT NULL,
    size_bytes integer NOT NULL,
    rendered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, order_id, object_key)
);

CREATE TABLE mail_deliveries (
    organization_id uuid NOT NULL,
    order_id uuid NOT NULL,
    kind text NOT NULL,
    message_id text NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    problem text CHECK (problem IN ('refused', 'bounced', 'complained')),
    problem_is_permanent boolean,
    -- What the mail server said, without addresses.
    problem_reason text,
    problem_at timestamptz,
    PRIMARY KEY (organization_id, order_id, kind),
    CONSTRAINT mail_deliveries_problem CHECK (num_nulls(problem, problem_is_permanent, problem_reason, problem_at) IN (0, 4))
);
CREATE INDEX mail_deliveries_problems ON mail_deliveries (problem_at) WHERE problem IS NOT NULL;

-- Who wants links to their orders mailed, whether or not there are any: the worker finds out. Deleted once it has.
CREATE TABLE link_requests (
    request_id uuid PRIMARY KEY,
    email text NOT NULL,
    language text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- aftersales -------------------------------------------------------------------------------------

-- Which units a refund was for; a unit is cancelled, and its stock returned, once.
CREATE TABLE refunded_units (
    organization_id uuid NOT NULL,
    unit_id uuid NOT NULL,
    refund_id uuid,
    order_id uuid NOT NULL,
    stock_returned boolean NOT NULL,
    refunded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, unit_id)
);

-- A refund of all that was sold of a session: asked for once, worked off by whichever worker has time.
CREATE TABLE session_refunds (
    organization_id uuid NOT NULL,
    session_refund_id uuid NOT NULL,
    session_id uuid NOT NULL,
    reason text NOT NULL CHECK (reason IN ('session_cancelled', 'session_moved')),
    return_stock boolean NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    PRIMARY KEY (organization_id, session_refund_id)
);
CREATE UNIQUE INDEX session_refunds_one_open ON session_refunds (organization_id, session_id) WHERE ended_at IS NULL;
CREATE INDEX session_refunds_by_age ON session_refunds (ended_at);

-- The orders of it, each refunded in one transaction with its row here.
CREATE TABLE session_refund_orders (
    organization_id uuid NOT NULL,
    session_refund_id uuid NOT NULL,
    order_id uuid NOT NULL,
    status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'done', 'failed')),
    amount_minor bigint,
    -- Why it failed: the code and the words of the refusal.
    error_code text,
    error text,
    ended_at timestamptz,
    PRIMARY KEY (organization_id, session_refund_id, order_id),
    FOREIGN KEY (organization_id, session_refund_id) REFERENCES session_refunds
);
CREATE INDEX session_refund_orders_open ON session_refund_orders (organization_id, session_refund_id, order_id)
    WHERE status <> 'done';

-- A session that was moved or postponed, and until when those who bought may return their tickets.
CREATE TABLE session_moves (
    organization_id uuid NOT NULL,
    move_id uuid NOT NULL,
    session_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('moved', 'postponed')),
    previous_starts_at timestamptz NOT NULL,
    starts_at timestamptz NOT NULL,
    answer_until timestamptz NOT NULL,
    -- What becomes of those who do not answer.
    default_answer text NOT NULL CHECK (default_answer IN ('keep', 'return')),
    moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When the time was over, or another move took its place.
    closed_at timestamptz,
    PRIMARY KEY (organization_id, move_id)
);
CREATE UNIQUE INDEX session_moves_one_open ON session_moves (organization_id, session_id) WHERE closed_at IS NULL;
CREATE INDEX session_moves_due ON session_moves (answer_until) WHERE closed_at IS NULL;

-- The orders that a move is about, and what their buyers said.
CREATE TABLE move_answers (
    organization_id uuid NOT NULL,
    move_id uuid NOT NULL,
    order_id uuid NOT NULL,
    answer text CHECK (answer IN ('keep', 'return')),
    answered_at timestamptz,
    -- When the mail to the buyer was asked for.
    told_at timestamptz,
    PRIMARY KEY (organization_id, move_id, order_id),
    FOREIGN KEY (organization_id, move_id) REFERENCES session_moves,
    CONSTRAINT move_answers_answered CHECK ((answer IS NULL) = (answered_at IS NULL))
);
CREATE INDEX move_answers_of_order ON move_answers (organization_id, order_id, move_id);
CREATE INDEX move_answers_untold ON move_answers (organization_id, move_id) WHERE told_at IS NULL;

-- admission --------------------------------------------------------------------------------------

-- The log of the door, append-only. entry_number counts the entries of a unit; a later line may undo one.
CREATE TABLE admissions (
    organization_id uuid NOT NULL,
    admission_id uuid NOT NULL,
    session_id uuid NOT NULL,
    unit_id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    entry_number smallint NOT NULL CHECK (entry_number > 0),
    direction text NOT NULL CHECK (direction IN ('in', 'out', 'undone')),
    gate text,
    device text,
    scan_id text NOT NULL,
    actor_id uuid,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, admission_id),
    CONSTRAINT admissions_scan UNIQUE (organization_id, scan_id),
    CONSTRAINT admissions_entry UNIQUE (organization_id, unit_id, entry_number, direction)
);
CREATE INDEX admissions_of_session ON admissions (organization_id, session_id);

-- receipts ---------------------------------------------------------------------------------------

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
    -- By rate: name, rate in millionths, net amount, tax.
    taxes jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (organization_id, receipt_id),
    CONSTRAINT receipts_number UNIQUE (organization_id, year, number),
    CONSTRAINT receipts_once UNIQUE NULLS NOT DISTINCT (organization_id, order_id, refund_id)
);
CREATE TRIGGER receipts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON receipts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- privacy ----------------------------------------------------------------------------------------

-- Orders whose buyer was erased. Until swept_at is set, their documents and mails are removed once more.
CREATE TABLE erased_orders (
    organization_id uuid NOT NULL,
    order_id uuid NOT NULL,
    erased_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    swept_at timestamptz,
    PRIMARY KEY (organization_id, order_id)
);
CREATE INDEX erased_orders_unswept ON erased_orders (erased_at) WHERE swept_at IS NULL;

-- webhooks ---------------------------------------------------------------------------------------

-- Where messages of an organization are sent. Its secrets are derived, and stand nowhere.
CREATE TABLE webhook_endpoints (
    organization_id uuid NOT NULL REFERENCES organizations,
    endpoint_id uuid NOT NULL,
    url text NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    description text NOT NULL DEFAULT '',
    types text[] NOT NULL CHECK (cardinality(types) > 0),
    status text NOT NULL DEFAULT 'enabled' CHECK (status IN ('enabled', 'disabled')),
    disabled_reason text CHECK (disabled_reason IN ('by_request', 'gone', 'failing')),
    disabled_at timestamptz,
    secret_number integer NOT NULL DEFAULT 1 CHECK (secret_number > 0),
    -- Until then the secret before the present one signs too.
    previous_secret_until timestamptz,
    -- Failed attempts since the last good one.
    failure_count integer NOT NULL DEFAULT 0 CHECK (failure_count >= 0),
    last_delivered_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, endpoint_id),
    CONSTRAINT webhook_endpoints_disabled CHECK ((status = 'disabled') = (disabled_at IS NOT NULL)
        AND (status = 'disabled') = (disabled_reason IS NOT NULL))
);

-- One row for each endpoint and message. Whoever sends it moves due_at to the end of its lease, and leaves its token.
CREATE TABLE webhook_deliveries (
    organization_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    message_id uuid NOT NULL,
    type text NOT NULL,
    -- The bytes that are signed, the same at every attempt.
    body text NOT NULL,
    is_test boolean NOT NULL DEFAULT false,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts smallint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    due_at timestamptz,
    lease_token uuid,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When the present round of attempts began: at first, or at a replay.
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    PRIMARY KEY (organization_id, delivery_id),
    CONSTRAINT webhook_deliveries_once UNIQUE (organization_id, endpoint_id, message_id),
    CONSTRAINT webhook_deliveries_pending CHECK ((status = 'pending') = (due_at IS NOT NULL)
        AND (status = 'pending') = (ended_at IS NULL)),
    FOREIGN KEY (organization_id, endpoint_id) REFERENCES webhook_endpoints ON DELETE CASCADE
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (organization_id, endpoint_id, due_at)
    WHERE status = 'pending';
CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (organization_id, endpoint_id, created_at)
    WHERE status = 'failed';
CREATE INDEX webhook_deliveries_of_endpoint ON webhook_deliveries (organization_id, endpoint_id, delivery_id);
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE webhook_attempts (
    organization_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    attempt_id uuid NOT NULL,
    status_code smallint,
    -- Why there is no answer, or none that counts.
    trouble text,
    -- The beginning of the answer's body.
    excerpt text NOT NULL DEFAULT '',
    duration_seconds double precision NOT NULL,
    attempted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, delivery_id, attempt_id),
    FOREIGN KEY (organization_id, delivery_id) REFERENCES webhook_deliveries ON DELETE CASCADE
);
