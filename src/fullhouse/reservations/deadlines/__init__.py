"""Until when reservations are held, of many at once."""
