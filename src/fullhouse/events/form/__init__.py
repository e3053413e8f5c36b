"""What an event asks of its buyers: names on tickets, questions, and what they agree to."""
