"""Live availability for browsers: a snapshot of a session, then what changes, as Server-Sent Events."""
