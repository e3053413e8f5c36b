"""Who may do what: permissions of roles, and the actor of a request."""
