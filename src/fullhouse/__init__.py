"""Fullhouse sells tickets: every seat once, fast, fairly, and with nothing lost."""

__version__ = "0.1.0"
