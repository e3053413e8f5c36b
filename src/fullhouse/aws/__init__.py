"""AWS Lambda: entry points over the same functions that the API and the workers call."""
