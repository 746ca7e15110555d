"""The acceptance scenarios of all hubs, played for real, and the runner's own tests."""
