-- Who wants links to their orders mailed, whether or not there are any: the worker finds out. Deleted once it has.
CREATE TABLE link_requests (
    request_id uuid PRIMARY KEY,
    email text NOT NULL,
    language text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
