"""Payment providers: the same functions in the same order in each file."""
