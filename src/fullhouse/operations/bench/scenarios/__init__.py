"""The scenarios of ``fullhouse bench``, one file for those of a kind."""
