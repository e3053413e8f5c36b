"""A second factor: codes of an app (TOTP), and recovery codes for who lost it."""
