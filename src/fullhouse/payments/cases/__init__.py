"""Closing cases of money, and the routes of cases."""
