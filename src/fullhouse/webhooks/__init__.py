"""Webhooks: the messages that an organization chose, sent to its own addresses, signed by Standard Webhooks."""
