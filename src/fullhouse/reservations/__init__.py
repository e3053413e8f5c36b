"""The only owner of stock: quotas, seats, reservations, allocations."""
