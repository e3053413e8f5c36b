"""Signing in elsewhere, by OpenID Connect."""
