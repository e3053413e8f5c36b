"""What buyers may ask of an organization about themselves: a copy of it all, and to be forgotten."""
