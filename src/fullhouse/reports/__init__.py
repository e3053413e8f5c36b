"""The organizer's books: statements of the ledger, and CSV files of orders, payments, refunds and entries."""
