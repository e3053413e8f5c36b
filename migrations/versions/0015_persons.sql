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
