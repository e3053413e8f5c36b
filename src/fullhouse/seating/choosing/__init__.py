"""The parts of best available: lanes and windows of seats, heaps of lanes, and parties that must be split. Pure."""
