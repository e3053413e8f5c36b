"""The people of an organization: invited, accepted, with a role that changes, and removed."""
