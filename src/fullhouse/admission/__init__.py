"""The door: scans and the log of admissions."""
