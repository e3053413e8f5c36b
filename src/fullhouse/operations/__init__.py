"""Work on a whole installation: verify, doctor, demo, generated seat maps."""
