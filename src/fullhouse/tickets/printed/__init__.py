"""Tickets on paper: what they have in common is set once, as a pattern, and the rest filled in."""
