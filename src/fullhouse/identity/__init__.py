"""Who you are: users."""
