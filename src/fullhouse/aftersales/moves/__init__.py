"""Sessions that were moved or postponed: those who bought keep their tickets or return them, until a deadline."""
