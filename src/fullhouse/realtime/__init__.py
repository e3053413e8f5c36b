"""Live availability for browsers."""
