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

-- Finds the orders of a mail address in all organizations; the address itself is not in it, but a keyed hash.
CREATE TABLE order_emails (
    organization_id uuid NOT NULL,
    order_id uuid NOT NULL,
    email_hash bytea NOT NULL CHECK (length(email_hash) = 32),
    PRIMARY KEY (organization_id, order_id)
);
CREATE INDEX order_emails_by_hash ON order_emails (email_hash, order_id);

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
