"""Seat maps: import, immutable versions, and the choice of the best seats."""
