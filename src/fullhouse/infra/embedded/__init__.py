"""The servers shipped in wheels, run as children of this program."""
