-- Refunds of whole sessions as stored jobs, and moves of sessions with what buyers answer.
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

-- When an organization may call a provider next: a bucket of tokens that all processes share.
CREATE TABLE provider_budgets (
    organization_id uuid NOT NULL,
    provider text NOT NULL,
    next_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, provider)
);
