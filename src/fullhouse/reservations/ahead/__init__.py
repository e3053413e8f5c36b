"""Holding without the lock: decided on a copy of the stock, written in one guarded statement, batch after batch."""
