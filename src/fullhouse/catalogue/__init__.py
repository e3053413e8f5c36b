"""What the public sees and what goes on sale; the routes of events and sessions."""
