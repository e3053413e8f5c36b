"""Errors for the person who runs the program, not for the client of the API."""


class OperatorError(Exception):
    """Something outside the program must be put right first. Its text is one clear line, shown without a traceback."""
