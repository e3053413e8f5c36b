"""The HTTP root: the app, the error table, health, and the pages."""
