"""What buyers find again: their orders in all organizations, and links to them by mail."""
