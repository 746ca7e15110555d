"""What intake can do."""
