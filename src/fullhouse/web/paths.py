"""Where the routes of the API stand."""

API_PREFIX = "/api/v1"
