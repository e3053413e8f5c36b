"""Who sells: organizations, their members and API keys."""
