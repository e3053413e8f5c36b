"""The background root: relay, consumers, subscriptions, schedule."""
