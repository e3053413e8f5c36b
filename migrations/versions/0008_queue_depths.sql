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
