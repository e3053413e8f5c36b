"""Mails about accounts, and the links in them."""
