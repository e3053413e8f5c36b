"""What allocations block, and moving places into it and out of it."""
