"""What partners can do."""
